"""Pipelines of scikit-learn with a seqkit estimator at their end, whole in one ONNX file."""

from __future__ import annotations

import json

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler

from seqkit import (
    ExportError,
    SequenceClassifier,
    SequenceForecaster,
    SequenceRegressor,
    export,
)

RNG = np.random.default_rng(0)
X = RNG.normal(5, 3, size=(40, 16)).cumsum(1)
HOLES = np.where(RNG.uniform(size=X.shape) < 0.05, np.nan, X)
UP = X[:, -1] > np.median(X[:, -1])
SMALL = {"epochs": 2, "units": 4, "random_state": 0}
NAMES = np.array(["fällt", "steigt"])


def ran(path, rows):
    session = onnxruntime.InferenceSession(path)
    outputs = session.run(None, {"X": np.asarray(rows, np.float32)})
    document = json.loads(session.get_modelmeta().custom_metadata_map["seqkit"])
    return dict(zip([one.name for one in session.get_outputs()], outputs, strict=True)), document


@pytest.mark.parametrize(
    "y", [NAMES[UP.astype(int)], NAMES[UP.astype(int)].astype(object), UP, UP * 7 - 3, UP * 2.0],
    ids=["text", "objects", "bool", "integers", "floats"],
)  # fmt: skip
def test_a_pipeline_answers_as_scikit_learn_runs_it(y, tmp_path):
    model = make_pipeline(
        SimpleImputer(), StandardScaler(), SequenceClassifier(ensemble=2, **SMALL)
    ).fit(HOLES, y)
    written = export(model, tmp_path / "model.onnx", data=HOLES)
    assert written.agreement.holds
    assert written.agreement.batches == (1, 32)
    found, document = ran(written.path, HOLES)
    assert list(found) == ["label", "probabilities"]
    np.testing.assert_allclose(
        found["probabilities"], model.predict_proba(HOLES), rtol=1e-5, atol=1e-5
    )
    assert found["label"].tolist() == model.predict(HOLES).tolist()
    assert document["pipeline"] == ["SimpleImputer", "StandardScaler"]
    assert document["inputs"] == [{"name": "X", "dtype": "float32", "shape": ["batch", 16]}]
    assert document["verified"]["relative"] == written.agreement.relative


def test_several_labels_and_numbers(tmp_path):
    labels = np.stack([UP, X[:, 3] > np.median(X[:, 3])], 1).astype(int)
    many = make_pipeline(MinMaxScaler(), SequenceClassifier(**SMALL)).fit(X, labels)
    found, _ = ran(export(many, tmp_path / "many.onnx", data=X).path, X)
    assert found["label"].tolist() == many.predict(X).tolist()
    quantiles = SequenceRegressor(quantiles=[0.1, 0.5, 0.9], **SMALL)
    number = make_pipeline(StandardScaler(), quantiles).fit(X, X[:, -1])
    found, document = ran(export(number, tmp_path / "number.onnx", data=X).path, X)
    truth = quantiles.predict_quantiles(number[:-1].transform(X))
    np.testing.assert_allclose(found["prediction"].reshape(truth.shape), truth, rtol=1e-5)
    assert document["quantiles"] == [0.1, 0.5, 0.9]


def test_frames_and_steps_that_do_nothing(tmp_path):
    frame = pd.DataFrame(HOLES, columns=[f"t{k}" for k in range(16)])
    net = SequenceClassifier(**SMALL)
    model = Pipeline([("fill", SimpleImputer()), ("scale", "passthrough"), ("net", net)])
    model.fit(frame, UP)
    found, document = ran(export(model, tmp_path / "frame.onnx", data=frame).path, frame)
    np.testing.assert_allclose(found["probabilities"], model.predict_proba(frame), atol=1e-5)
    assert document["features"] == list(frame)
    alone = make_pipeline(SequenceClassifier(**SMALL)).fit(X, UP)
    found, _ = ran(export(alone, tmp_path / "alone.onnx", data=X).path, X)
    np.testing.assert_allclose(found["probabilities"], alone.predict_proba(X), atol=1e-5)


def squares(rows):
    return rows**2


def test_what_cannot_be_is_one_error_and_leaves_nothing(tmp_path):
    net = SequenceClassifier(**SMALL)
    model = make_pipeline(StandardScaler(), net).fit(X, UP)
    cases = [
        (make_pipeline(FunctionTransformer(squares), net).fit(X, UP), None, "skl2onnx cannot"),
        (make_pipeline(StandardScaler(), LogisticRegression()).fit(X, UP), None, "LogisticReg"),
        (make_pipeline(SequenceForecaster(context_length=8, horizon=2, **SMALL)).fit(X[0]), None,
         "SequenceForecaster"),
        (model, "keras", "must be exported as onnx"),
    ]  # fmt: skip
    for number, (pipeline, format, words) in enumerate(cases):
        path = tmp_path / f"{number}{'.keras' if format else '.onnx'}"
        with pytest.raises(ExportError, match=words):
            export(pipeline, path, format, data=X)
    with pytest.raises(ExportError, match="data=X"):
        export(model, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())
    assert export(model, tmp_path / "model.onnx", verify=False).agreement is None


def test_columns_apart(tmp_path):
    parts = ColumnTransformer(
        [("early", MinMaxScaler(), slice(0, 8)), ("late", StandardScaler(), slice(8, 16))]
    )
    model = make_pipeline(parts, SequenceClassifier(**SMALL)).fit(X, UP)
    found, _ = ran(export(model, tmp_path / "model.onnx", data=X).path, X)
    np.testing.assert_allclose(found["probabilities"], model.predict_proba(X), atol=1e-5)
