"""The Keras autoencoder with interchangeable decoders."""
