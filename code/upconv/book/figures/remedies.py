"""Figures of the chapter "Remedies"."""
