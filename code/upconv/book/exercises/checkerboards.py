"""Exercises of the chapter "Checkerboards"."""
