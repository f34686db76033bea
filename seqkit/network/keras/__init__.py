"""The Keras faces of networks: layers, and ordinary functional models of a description."""
