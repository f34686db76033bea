"""Plain networks trained and asked in machine code and NumPy alone.

A network of recurrent layers, dropout and dense ones needs neither a graph nor TensorFlow: its way
back is written here, layer by layer. ``plans`` says which settings are served and builds the
network, whose weights are those of the Keras model of the same settings, in the same order.
"""
