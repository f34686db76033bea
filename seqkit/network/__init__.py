"""Networks as data: a description, the equations of its layers, and what is made of it.

A :class:`~seqkit.network.graph.Network` is nodes in order, each a layer with its settings
(`layers`, a file a kind). `series` and `forecasting` describe the networks of seqkit; `cpu` trains
and asks them in NumPy and compiled kernels, `keras` makes ordinary Keras models of them.
"""
