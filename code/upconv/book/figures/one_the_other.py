"""Figures of the chapter "When is one the other?"."""
