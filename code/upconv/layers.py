"""Initialisers for upsampling layers."""
