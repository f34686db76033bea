"""Correct use of every public name; read by type checkers, never run."""

from typing import Any, assert_type

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd

import seqkit
import seqkit.layers
from seqkit.estimators.inputs import Frame
from seqkit.evaluation.backtest import BacktestResult
from seqkit.recipe.reading import Resolved
from seqkit.runs.experiment import Result

Float64 = npt.NDArray[np.float64]
series = np.zeros((8, 12, 1))
labels = np.array(["a", "b"] * 4)

classifier = seqkit.SequenceClassifier(cell="gru", units=[8, 8], class_weight="balanced")
assert_type(classifier, seqkit.SequenceClassifier)
assert_type(classifier.fit(series, labels), seqkit.SequenceClassifier)
assert_type(classifier.fit(series, labels, [1.0] * 8, validation_data=(series, labels)),
            seqkit.SequenceClassifier)  # fmt: skip
assert_type(classifier.partial_fit(series, labels, classes=["a", "b"]), seqkit.SequenceClassifier)
assert_type(classifier.set_params(units=4).fit(series, labels), seqkit.SequenceClassifier)
assert_type(classifier.get_params(), dict[str, Any])
assert_type(classifier.fit(series, labels).predict(series), np.ndarray)
assert_type(classifier.predict_proba(series), Float64)
assert_type(classifier.predict_log_proba(series), Float64)
assert_type(classifier.score(series, labels), float)
assert_type(classifier.weights_, list[np.ndarray])
assert_type(classifier.history_, dict[str, list[float]])
assert_type(classifier.n_iter_, int)

trials = pd.DataFrame({"trial": ["a", "a", "b"], "x": [1.0, 2.0, 3.0], "kind": ["u", "u", "v"]})
named = seqkit.SequenceClassifier(series_id="trial", target="kind")
assert_type(named.fit(trials).predict(trials), np.ndarray)
assert_type(named.score(trials), float)

regressor = seqkit.SequenceRegressor(dense=(4,), clipnorm=None, random_state=0)
assert_type(regressor, seqkit.SequenceRegressor)
assert_type(regressor.fit(series, np.zeros(8)).predict(series), Float64)
assert_type(regressor.partial_fit(series, np.zeros(8)), seqkit.SequenceRegressor)
assert_type(regressor.score(series, np.zeros(8)), float)

tagger = seqkit.SequenceTagger(units=8, class_weight={"a": 2.0}, piece_length=None)
assert_type(tagger, seqkit.SequenceTagger)
assert_type(tagger.fit([["to", "be"], ["or"]], [["P", "V"], ["C"]]), seqkit.SequenceTagger)
assert_type(tagger.predict(series), npt.NDArray[Any] | list[npt.NDArray[Any]])
assert_type(tagger.score(series, labels), float)
assert_type(seqkit.SequenceTagger(target="next").fit(["to be", "or not"]), seqkit.SequenceTagger)
drawn = tagger.generate(5, "to", temperature=0.5)
assert_type(
    drawn,
    str | list[str] | list[int] | npt.NDArray[np.int64] | npt.NDArray[np.float64],
)

seqkit.SequenceRegressor(optimizer={"name": "sgd", "momentum": 0.9, "nesterov": True})
seqkit.SequenceClassifier(recurrent_initializer="orthogonal_gates", bias_initializer="chrono")

forecaster = seqkit.SequenceForecaster(context_length=[24, 12], horizon=6, quantiles=[0.1, 0.5])
assert_type(forecaster, seqkit.SequenceForecaster)
assert_type(forecaster.fit(np.zeros(60)), seqkit.SequenceForecaster)
frame = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=60), "y": np.zeros(60)})
assert_type(forecaster.fit(np.zeros(60), validation_data=(frame,)), seqkit.SequenceForecaster)
assert_type(forecaster.partial_fit(frame, sample_weight=np.ones(60)), seqkit.SequenceForecaster)
assert_type(forecaster.fit(np.zeros(60)).forecast(horizon=3), np.ndarray | Frame)
assert_type(forecaster.forecast(frame), np.ndarray | pd.DataFrame)
assert_type(forecaster.forecast(np.zeros(60), future=np.zeros((6, 1))), np.ndarray)
assert_type(forecaster.predict(np.zeros(60)), np.ndarray | list[np.ndarray])
assert_type(forecaster.predict(frame), np.ndarray | pd.DataFrame)
assert_type(forecaster.predict_quantiles(np.zeros(60), levels=[0.5]), np.ndarray)
assert_type(forecaster.forecast_quantiles(), np.ndarray)
assert_type(forecaster.sample(n_paths=3), np.ndarray)
assert_type(forecaster.score(np.zeros(60)), float)

assert_type(seqkit.backtest(forecaster, frame, windows=2), BacktestResult)
split = seqkit.BacktestSplit(context_length=24, horizon=6, windows=2)
assert_type(split, seqkit.BacktestSplit)
assert_type(split.get_n_splits(), int)
assert_type(seqkit.forecast_scorer("mae")(forecaster, np.zeros(60)), float)
for train, test in split.split(np.zeros(60), groups=["a"] * 60):
    assert_type((train, test), tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]])


class LastValue:
    """A forecaster of another library, with type hints of its own."""

    def fit(self, data: np.ndarray) -> "LastValue":
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        return X

    def forecast(self, X: np.ndarray, horizon: int = 1) -> np.ndarray:
        return np.repeat(X[-1:], horizon)


assert_type(seqkit.backtest(LastValue(), np.zeros(60), horizon=3), BacktestResult)
assert_type(seqkit.forecast_scorer("mae")(LastValue(), np.zeros(60)), float)

# Keras has no type hints: its models are Any to mypy, and what pyright reads in Keras's source
assert_type(
    seqkit.build_classifier(n_timesteps=12, n_features=1, n_classes=2, units=4), keras.Model
)
assert_type(
    seqkit.build_regressor(12, 1, pooling="mean", kernel_initializer="he_normal"), keras.Model
)
assert_type(seqkit.build_tagger(None, None, 13, n_tokens=500, embedding=16), keras.Model)
model = seqkit.build_forecaster(context_length=24, horizon=6, decoder="recursive")
assert_type(model, keras.Model)
model.summary()
assert_type(seqkit.GatedRNN(4, cell="gru", return_sequences=True), seqkit.GatedRNN)
assert_type(seqkit.Bidirectional(4, "gru", seed=0), seqkit.Bidirectional)
seqkit.GatedRNN(4, kernel_initializer=keras.initializers.HeNormal(), kernel_regularizer="l2")
recurrent: list[keras.Layer] = [seqkit.GatedRNN(4), seqkit.Bidirectional(4)]
around: list[keras.Layer] = [
    seqkit.layers.AttentionPooling(8),
    seqkit.layers.Bidirectional(4),
    seqkit.layers.GatedRNN(4),
    seqkit.layers.Patch(5),
    seqkit.layers.SequencePooling("mean_max"),
    seqkit.layers.Standardize(),
    seqkit.layers.Unstandardize(),
]

try:
    resolved = seqkit.read_recipe("recipe.yaml", ["model.units=8"], seed=1)
    assert_type(resolved, Resolved)
    result = seqkit.run(resolved, out="runs", name="first")
    assert_type(result, Result)
    assert_type(result.scores, dict[str, Any] | None)
    classifier.save("model")
    assert_type(seqkit.SequenceClassifier.load("model"), seqkit.SequenceClassifier)
    assert_type(
        seqkit.load("model"),
        seqkit.SequenceClassifier
        | seqkit.SequenceRegressor
        | seqkit.SequenceForecaster
        | seqkit.SequenceTagger,
    )
    estimator = seqkit.load_run(result.document["run"])
    assert_type(
        estimator,
        seqkit.SequenceClassifier
        | seqkit.SequenceRegressor
        | seqkit.SequenceForecaster
        | seqkit.SequenceTagger,
    )
    if isinstance(estimator, seqkit.SequenceClassifier):
        assert_type(estimator.predict_proba(series), Float64)
    assert_type(seqkit.export(estimator, "model.onnx", verify=False).format, str)
    seqkit.load_keras("model.keras")
    assert_type(seqkit.compare(["runs/a", "runs/b"]).document, dict[str, Any])
except (seqkit.RecipeError, seqkit.DataError, seqkit.RunError) as error:
    assert_type(error, seqkit.RecipeError | seqkit.DataError | seqkit.RunError)
except seqkit.TrainingError as error:
    assert_type(error.history, dict[str, list[float]])
    if error.state is not None:
        assert_type(error.state.epoch, int)
        error.state.save("state.npz")
except seqkit.ExportError:
    pass
