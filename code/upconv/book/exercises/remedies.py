"""Exercises of the chapter "Remedies"."""
