"""Interpolation: nearest, linear, cubic and area, as functions, as matrices, and backwards."""
