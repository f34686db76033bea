"""Whole sequences in machine code, by NumPy arrays; TensorFlow is not needed here.

``code`` are the compiled functions, ``schemes`` says how each family of cells is handed to them,
``sequences`` computes a batch there and back, parts of it side by side.
"""
