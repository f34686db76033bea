"""Exports: proved as they are made, whole or not there, and saying what they are."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import seqkit.exports.keras_file as keras_file
from seqkit import (
    ExportError,
    SequenceClassifier,
    SequenceForecaster,
    SequenceRegressor,
    SequenceTagger,
    export,
    load_run,
    run,
)
from seqkit.exports.examples import Example, examples_of, signature_of
from seqkit.exports.verifying import agreement
from seqkit.runs.finished import export as export_run

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 16, 2)).cumsum(1)
UNEQUAL = [x[: RNG.integers(6, 17)] for x in X]
WAVE = 100 + 10 * np.sin(np.arange(200) * np.pi / 6) + RNG.normal(size=200)
SMALL = {"epochs": 2, "units": 4, "random_state": 0}
WINDOWS = {"context_length": 24, "horizon": 5, "season": 12, **SMALL}


def classifier():
    return SequenceClassifier(ensemble=2, **SMALL).fit(X, X[:, -1, 0] > 0), X


def unequal_regressor():
    target = [x[-1] for x in UNEQUAL]
    return SequenceRegressor(quantiles=[0.1, 0.5, 0.9], **SMALL).fit(UNEQUAL, target), UNEQUAL


def tagger():
    labels = [(x[:, 0] > 0).astype(int) for x in UNEQUAL]
    return SequenceTagger(**SMALL).fit(UNEQUAL, labels), UNEQUAL


def next_letter():
    lines = ["abcabcabcaab", "bcabcabcab"] * 4
    return SequenceTagger(target="next", **SMALL).fit(lines), lines


def next_numbers():
    return SequenceTagger(target="next", mixture=3, **SMALL).fit(UNEQUAL), UNEQUAL


def forecaster():
    model = SequenceForecaster(
        quantiles=[0.1, 0.5, 0.9], ensemble=2, combine_with="theta", target_transform="box_cox",
        **WINDOWS,
    )  # fmt: skip
    return model.fit(WAVE), WAVE


FITTED = (classifier, unequal_regressor, tagger, next_letter, next_numbers, forecaster)


@pytest.fixture(scope="module", params=FITTED, ids=lambda make: make.__name__)
def fitted(request):
    return request.param()


@pytest.mark.parametrize("given", [True, False], ids=["data", "made"])
def test_what_is_exported_answers_as_the_estimator(fitted, given, tmp_path):
    model, data = fitted
    written = export(model, tmp_path / "model.keras", data=data if given else None)
    assert written.agreement.holds
    assert {1} < set(written.agreement.batches)
    with zipfile.ZipFile(written.path) as archive:
        document = json.loads(archive.read(keras_file.MEMBER))
    assert document["task"] == model._task
    assert document["verified"] == written.agreement.document()
    if hasattr(model, "classes_"):
        assert document["classes"] == model.classes_.tolist()
    assert [one["name"] for one in document["inputs"]] == [
        one.name for one in signature_of(model).inputs
    ]


def test_examples_have_the_shapes_that_the_signature_says(fitted):
    model, data = fitted
    signature, examples = signature_of(model), examples_of(model, data)
    for example in examples:
        sizes = {"batch": len(example.inputs["x"])}
        for tensor in signature.inputs:
            value = example.inputs[tensor.name]
            assert value.dtype == tensor.dtype
            for axis, n in zip(tensor.shape, value.shape, strict=True):
                assert n == (sizes.setdefault(axis, n) if isinstance(axis, str) else axis)
    lengths = {n for one in examples for n in np.ravel(one.inputs.get("lengths", 0)).tolist()}
    assert len(lengths) > 1 or "lengths" not in examples[0].inputs


def test_an_artefact_that_answers_otherwise_is_refused_and_leaves_nothing(monkeypatch, tmp_path):
    model, data = classifier()
    right = keras_file.read

    def off(path, estimator):
        ask = right(path, estimator)
        return lambda inputs: ask(inputs) + 1e-4

    monkeypatch.setattr(keras_file, "read", off)
    with pytest.raises(ExportError, match="must answer as the estimator does"):
        export(model, tmp_path / "model.keras", data=data)
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(
        keras_file, "read", lambda *_: lambda inputs: np.full((len(inputs["x"]), 2), np.nan)
    )
    with pytest.raises(ExportError, match="nan"):
        export(model, tmp_path / "model.keras", data=data)
    assert not list(tmp_path.iterdir())


def test_what_was_not_verified_says_so(tmp_path):
    model, _ = unequal_regressor()
    written = export(model, tmp_path / "served", "saved_model", verify=False)
    assert written.agreement is None
    assert "not verified" in written.sentence()
    document = json.loads((tmp_path / "served/assets.extra/seqkit.json").read_text())
    assert document["verified"] is False


def test_paths_and_formats_that_cannot_be(tmp_path):
    model, _ = unequal_regressor()
    with pytest.raises(ValueError, match=r"given where the path does not end"):
        export(model, tmp_path / "served")
    with pytest.raises(ValueError, match="one of keras"):
        export(model, tmp_path / "served", "kers")
    with pytest.raises(ExportError, match=r"ends in \.keras"):
        export(model, tmp_path / "model.h5", "keras")
    (tmp_path / "there.keras").write_text("mine")
    with pytest.raises(ExportError, match="not overwritten"):
        export(model, tmp_path / "there.keras")
    assert (tmp_path / "there.keras").read_text() == "mine"


@settings(max_examples=30, deadline=None)
@given(st.floats(1e-9, 1e9), st.integers(0, 2))
def test_relative_differences_are_those_of_each_target(size, which):
    """A small target beside large ones is judged by its own size."""
    answers = np.ones((4, 3)) * [1.0, 1e6, 1e-6]
    off = answers.copy()
    off[2, which] *= 1.5
    example = Example({"x": np.zeros((4, 5, 1))}, answers * size)
    found = agreement(lambda _: off * size, [example], "regression", 0.4, "made-up data")
    assert found.relative == pytest.approx(0.5)
    assert not found.holds


def one_direction():
    """A tagger, a classifier and a regressor that can be asked observation by observation."""
    made = {"stem": None, "bidirectional": False, "moves": (), "normalize": "none", **SMALL}
    labels, ends = [(x[:, 0] > 0).astype(int) for x in UNEQUAL], [x[-1, 0] for x in UNEQUAL]
    tagged = SequenceTagger(bidirectional=False, **SMALL).fit(UNEQUAL, labels)
    yield tagged
    yield next_numbers()[0]
    for pooling in ("last", "mean_max"):
        yield SequenceClassifier(pooling=pooling, **made).fit(UNEQUAL, np.array(ends) > 0)
        yield SequenceRegressor(pooling=pooling, **made).fit(UNEQUAL, ends)


@pytest.mark.parametrize("format", ["onnx", "onnx_streaming"])
def test_onnx_is_proved_and_says_what_it_is(format, tmp_path):
    import onnx

    for number, model in enumerate(one_direction()):
        path = tmp_path / f"{number}.onnx"
        written = export(model, path, format, data=UNEQUAL)
        assert written.agreement.holds
        props = {one.key: one.value for one in onnx.load(path).metadata_props}
        document = json.loads(props["seqkit"])
        assert document["verified"]["relative"] == written.agreement.relative
        assert props["task"] == model._task
        assert onnx.load(path).graph.output[0].name == document["output"]["name"]


def test_every_task_as_onnx(fitted, tmp_path):
    model, data = fitted
    assert export(model, tmp_path / "model.onnx", data=data).agreement.holds


def test_no_streaming_form_is_one_error_and_leaves_nothing(tmp_path):
    model, data = classifier()
    with pytest.raises(ExportError, match="of one direction"):
        export(model, tmp_path / "model.onnx", "onnx_streaming", data=data)
    assert not list(tmp_path.iterdir())


def test_forecasters_whose_future_is_not_known_are_proved_by_their_last_windows(tmp_path):
    import pandas as pd

    frame = pd.DataFrame({"y": WAVE, "known": np.cos(np.arange(200) / 3)})
    settings = {"target": "y", "future_covariates": ["known"], "combine_with": "none", **WINDOWS}
    model = SequenceForecaster(**settings).fit(frame)
    written = export(model, tmp_path / "model.onnx")
    assert written.agreement.holds
    with pytest.raises(ExportError, match="as long as the model's window"):
        export(model, tmp_path / "short.onnx", data=frame[:10])


def test_a_run_is_told_of_an_export_made_later(tmp_path):
    recipe = {
        "task": "classification", "data": {"dataset": "gunpoint"},
        "model": {"units": 2, "stem": None, "patch": 10}, "train": {"epochs": 1},
    }  # fmt: skip
    folder = run(recipe, out=tmp_path).document["run"]
    predicted = load_run(folder).predict(X[:, :, :1].repeat(10, 1)[:, :150])
    done = export_run(folder, "keras", tmp_path / "model.keras")
    record = json.loads((Path(folder) / "run.json").read_text())
    entry = record["exports"][str(tmp_path / "model.keras")]
    assert entry["verified"] == done.document["verified"]
    assert done.document["verified"]["data"] == "the run's data"
    assert (load_run(folder).predict(X[:, :, :1].repeat(10, 1)[:, :150]) == predicted).all()


def test_a_format_that_cannot_be_costs_no_run(tmp_path):
    """A network of both directions has no form of one observation: the run is whole."""
    recipe = {
        "task": "classification", "data": {"dataset": "gunpoint"},
        "export": ["onnx_streaming", "onnx"],
        "model": {"units": 2, "stem": None, "patch": 10}, "train": {"epochs": 1},
    }  # fmt: skip
    with pytest.raises(ExportError, match=r"of one direction.*The run itself is complete"):
        run(recipe, out=tmp_path)
    [folder] = tmp_path.iterdir()
    record = json.loads((folder / "run.json").read_text())
    assert record["status"] == "complete"
    assert set(record["exports"]) == {"onnx"}
    assert load_run(folder).predict(np.zeros((2, 150, 1))).shape == (2,)
