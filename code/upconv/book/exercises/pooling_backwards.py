"""Exercises of the chapter "Pooling backwards"."""
