"""Pooling and its exact gradients, zero insertion, unpooling by indices."""
