"""Checkerboards: where they come from, and how strong they are."""
