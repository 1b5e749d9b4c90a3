"""Exercises of the chapter "The Keras autoencoder"."""
