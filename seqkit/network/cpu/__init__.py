"""Whole sequences in compiled kernels, by NumPy arrays; TensorFlow is not needed here.

``code`` are the kernels, ``schemes`` says how each family of cells is handed to them, ``sequences``
computes a batch forward and backward, parts of it side by side, ``shards`` in how many parts, and
``memory`` are the blocks they work in.
"""
