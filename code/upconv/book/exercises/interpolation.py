"""Exercises of the chapter "Interpolation"."""
