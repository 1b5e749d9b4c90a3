"""Figures of the chapter "Checkerboards"."""
