"""Figures of the chapter "Interpolation"."""
