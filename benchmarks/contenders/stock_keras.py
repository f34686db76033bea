"""What one writes by hand to use a Keras model in scikit-learn."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin


class KerasLSTM(ClassifierMixin, BaseEstimator):
    """An LSTM of Keras, built and compiled in every fit."""

    def __init__(
        self, units: int = 64, dropout: float = 0.0, learning_rate: float = 1e-3,
        epochs: int = 20, batch_size: int = 16,
    ) -> None:  # fmt: skip
        self.units = units
        self.dropout = dropout
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_size = batch_size

    def fit(self, X: Any, y: Any) -> KerasLSTM:
        keras.backend.clear_session()  # or the memory grows with every fit
        keras.utils.set_random_seed(0)
        self.classes_, encoded = np.unique(y, return_inverse=True)
        self.model_ = keras.Sequential(
            [keras.Input(X.shape[1:]), keras.layers.LSTM(self.units),
             keras.layers.Dropout(self.dropout),
             keras.layers.Dense(len(self.classes_), activation="softmax")]
        )  # fmt: skip
        self.model_.compile(
            keras.optimizers.Adam(self.learning_rate), "sparse_categorical_crossentropy"
        )
        self.model_.fit(X, encoded, epochs=self.epochs, batch_size=self.batch_size, verbose=0)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        return self.model_.predict(X, verbose=0)

    def predict(self, X: Any) -> np.ndarray:
        return self.classes_[self.predict_proba(X).argmax(axis=1)]
