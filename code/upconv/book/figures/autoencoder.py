"""Figures of the chapter "The Keras autoencoder"."""
