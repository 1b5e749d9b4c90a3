"""Upsample-then-convolve as one transposed convolution, and back."""
