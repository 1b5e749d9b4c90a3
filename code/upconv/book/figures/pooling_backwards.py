"""Figures of the chapter "Pooling backwards"."""
