"""Estimators in scikit-learn's sense."""

from seqkit.collection import collection_paused

with collection_paused():  # a worker that is sent an estimator comes here first
    import keras  # noqa: F401
