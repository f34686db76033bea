"""What is in a run folder, and how it is read again: by this version and by those before."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import some

from seqkit import (
    SequenceClassifier,
    SequenceForecaster,
    SequenceRegressor,
    SequenceTagger,
    load_run,
)
from seqkit.errors import RunError
from seqkit.estimators import facts
from seqkit.estimators.keras_weights import check_layer_classes
from seqkit.estimators.plain import decode, encode
from seqkit.estimators.saving import load_estimator, save_estimator
from seqkit.estimators.weights_file import described
from seqkit.network.architecture import Architecture
from seqkit.network.keras.weights import variables_of
from seqkit.runs import experiment
from seqkit.system.documents import parse_json

# -- what a fit leaves ------------------------------------------------------------------------

RNG = np.random.default_rng(0)
SERIES = RNG.normal(size=(12, 7, 2)).astype(np.float32)
UNEQUAL = [x[: 4 + i % 4] for i, x in enumerate(SERIES)]
TABLE = pd.DataFrame(SERIES[:, :, 0], columns=[f"t{i}" for i in range(7)])
LABELS = np.array(["up", "down", "flat"] * 4)
NUMBERS = np.arange(12.0)
SHORT = {"units": 3, "epochs": 2, "validation": 0, "patience": 0, "random_state": 0}
WINDOWS = {"context_length": 6, "horizon": 2, "units": 3, "epochs": 1, "random_state": 0}
N = 30
STAMPS = pd.date_range("2024-01-01", periods=N, freq="D", tz="Europe/Paris")
FRAME = pd.concat(
    pd.DataFrame(
        {
            "unique_id": name,
            "ds": STAMPS,
            "y": level + np.sin(np.arange(N)),
            "promotion": np.arange(N) % 3,
            "region": region,
            "size": float(level),
        }
    )
    for name, level, region in (("a", 10, "north"), ("b", 20, "south"))
)
GAPS = FRAME.assign(y=FRAME["y"].where(np.arange(2 * N) % 7 != 3))
INTEGERS = FRAME.assign(ds=np.tile(np.arange(N), 2))

FITS = {
    "classes": (SequenceClassifier(**SHORT), (SERIES, LABELS)),
    "classes that are numbers": (SequenceClassifier(**SHORT), (SERIES, NUMBERS % 2)),
    "classes that are booleans": (SequenceClassifier(**SHORT), (SERIES, NUMBERS > 5)),
    "classes as objects": (SequenceClassifier(**SHORT), (SERIES, LABELS.astype(object))),
    "a table": (SequenceClassifier(**SHORT), (TABLE, LABELS)),
    "a table with gaps": (
        SequenceClassifier(missing="indicator", **SHORT),
        (TABLE.mask(TABLE > 1), LABELS),
    ),
    "unequal lengths": (SequenceClassifier(bidirectional=True, **SHORT), (UNEQUAL, LABELS)),
    "weights by class": (
        SequenceClassifier(class_weight={"up": 2.0}, **SHORT),
        (SERIES, LABELS),
    ),
    "a validation part": (
        SequenceClassifier(**{**SHORT, "validation": 0.25, "patience": 1}),
        (SERIES, LABELS),
    ),
    "a warm start": (SequenceClassifier(warm_start=True, **SHORT), (SERIES, LABELS)),
    "attention": (SequenceRegressor(pooling="attention", **SHORT), (SERIES, NUMBERS)),
    "several numbers": (
        SequenceRegressor(patch=2, dense=[4], dropout=0.1, **SHORT),
        (UNEQUAL, np.stack([NUMBERS, -NUMBERS], 1)),
    ),
    "nothing scaled": (SequenceRegressor(scale="none", **SHORT), (SERIES, NUMBERS)),
    "labels of steps": (SequenceTagger(**SHORT), (SERIES, np.where(SERIES[..., 0] > 0, "u", "d"))),
    "tokens": (SequenceTagger(target="next", **SHORT), (["abcab", "bca", "cabc"] * 4,)),
    "next numbers": (SequenceTagger(target="next", **SHORT), (SERIES,)),
    "one series": (SequenceForecaster(**WINDOWS), (np.sin(np.arange(40.0)),)),
    "several series": (
        SequenceForecaster(**WINDOWS),
        ([np.sin(np.arange(30.0 + i)) for i in range(3)],),
    ),
    "a target that is no feature": (
        SequenceForecaster(**WINDOWS),
        (SERIES.reshape(-1, 2), np.arange(84.0)),
    ),
    "a frame": (
        SequenceForecaster(quantiles=[0.1, 0.5, 0.9], **WINDOWS),
        (FRAME[["unique_id", "ds", "y"]],),
    ),
    "a frame with gaps": (
        SequenceForecaster(missing="indicator", **WINDOWS),
        (GAPS[["unique_id", "ds", "y"]],),
    ),
    "integer steps": (SequenceForecaster(**WINDOWS), (INTEGERS[["unique_id", "ds", "y"]],)),
    "covariates": (
        SequenceForecaster(
            future_covariates=["promotion"],
            static_covariates=["region", "size"],
            calendar=["weekday"],
            decoder="segment",
            patch=2,
            **WINDOWS,
        ),
        (FRAME,),
    ),
    "a distribution": (
        SequenceForecaster(distribution="normal", decoder="recursive", **WINDOWS),
        (FRAME[["unique_id", "ds", "y"]],),
    ),
    "an ensemble": (
        SequenceForecaster(**{**WINDOWS, "context_length": [6, 4], "ensemble": 2}),
        (FRAME[["unique_id", "ds", "y"]],),
    ),
}  # fmt: skip


@pytest.fixture(scope="module", params=FITS, ids=lambda name: name.replace(" ", "_"))
def fitted(request):
    estimator, data = FITS[request.param]
    return estimator.fit(*data), data


def test_every_fact_has_a_row(fitted):
    estimator, _ = fitted
    left = {name for name in vars(estimator) if name.endswith("_")} - facts.ELSEWHERE
    rows = facts.FACTS[estimator._task]
    assert left <= set(rows)
    assert {name for name, row in rows.items() if row.always} <= left


def test_every_row_is_a_fact():
    left = {task: set() for task in facts.FACTS}
    for estimator, data in FITS.values():
        if not hasattr(estimator, "weights_"):
            estimator.fit(*data)
        left[estimator._task] |= set(vars(estimator))
    for task, rows in facts.FACTS.items():
        # where a fit was made anew on all, with a learned combination, of transformed targets, from
        # another fit, calibrated, with a part that intervals are learned from
        seldom = {"stopped_histories_", "_share_", "_powers_", "start_", "calibration_", "_scores_"}
        seldom |= {"feature_names_in_"} if task != "classification" else set()
        assert set(rows) - seldom <= left[task]


def test_saved_and_loaded_it_answers_the_same(fitted, tmp_path):
    estimator, data = fitted
    description = json.loads(json.dumps(save_estimator(estimator, tmp_path), allow_nan=False))
    weights = (tmp_path / "weights.safetensors").read_bytes()
    other = load_estimator(description, weights, tmp_path)
    X = data[0]
    np.testing.assert_equal(_plain(other.predict(X)), _plain(estimator.predict(X)))
    if estimator._task == "forecasting" and not estimator.future_covariates:
        np.testing.assert_equal(_plain(other.forecast()), _plain(estimator.forecast()))
    assert other.get_params() == {**estimator.get_params(), "random_state": None}
    facts_of = {n: v for n, v in vars(estimator).items() if n in facts.FACTS[estimator._task]}
    np.testing.assert_equal({name: getattr(other, name) for name in facts_of}, facts_of)


def _plain(prediction):
    if isinstance(prediction, pd.DataFrame):
        return {name: prediction[name].to_numpy() for name in prediction}
    return prediction


def test_the_description_is_that_of_the_keras_model(fitted):
    estimator, _ = fitted
    architecture = estimator._build()
    found = described(architecture)
    variables = variables_of(architecture, estimator.model_)
    assert [path.rpartition("member_")[2].lstrip("12/") for path in found] == [
        variable.path for variable in variables
    ]
    assert {id(v) for v in variables} == {id(v) for v in estimator.model_.weights}
    for shape, variable, weight in zip(found.values(), variables, estimator.weights_, strict=True):
        assert shape == tuple(variable.shape) == weight.shape
        np.testing.assert_array_equal(variable.numpy(), weight)


def test_only_known_classes_are_in_what_keras_saves(fitted):
    saved = json.loads(fitted[0].model_.to_json())
    check_layer_classes(saved)
    for part in some(saved["config"]["layers"]):
        known = part["class_name"]
        part["class_name"] = "Lambda"
        with pytest.raises(ValueError, match=r"'Lambda'.*no class of seqkit's"):
            check_layer_classes(saved)
        part["class_name"] = known


def test_a_fact_without_a_row_is_an_error_when_it_is_saved(tmp_path):
    estimator, data = FITS["classes"]
    estimator.fit(*data)
    estimator.surprise_ = 1
    try:
        with pytest.raises(ValueError, match=r"facts\.FACTS; got 'surprise_'"):
            save_estimator(estimator, tmp_path)
    finally:
        del estimator.surprise_


def test_what_is_large_goes_beside_the_weights(tmp_path):
    """Panels of many series: exact, and JSON stays small."""
    wide = [np.sin(np.arange(30.0) + i) for i in range(300)]
    estimator = SequenceForecaster(**WINDOWS).fit(wide)
    description = save_estimator(estimator, tmp_path)
    assert len(json.dumps(description)) < 20_000
    weights = (tmp_path / "weights.safetensors").read_bytes()
    other = load_estimator(description, weights, tmp_path)
    np.testing.assert_equal(other._tail_, estimator._tail_)
    np.testing.assert_equal(other.forecast(), estimator.forecast())


def test_the_description_takes_no_memory():
    """Sizes are known, and compared with the file, before anything is allocated."""
    estimator, data = FITS["classes"]
    architecture = estimator.fit(*data)._build()
    huge = {**architecture.settings, "cell": "lstm", "units": 10_000_000, "bidirectional": False}
    shapes = described(Architecture(architecture.kind, huge))
    assert shapes["recurrent_1/recurrent_kernel"] == (10_000_000, 40_000_000)
    attention = described(Architecture(architecture.kind, {**huge, "pooling": "attention"}))
    assert attention["pooling/kernel"] == (10_000_000, 10_000_000)
    endless = {"context_length": 9, "horizon": 10**9, "decoder": "recursive", "patch": 1}
    with pytest.raises(ValueError, match="at most 1000 patches"):
        described(Architecture("forecaster", endless))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"[" * 100_000, "nested"),
        (b"[" * 40 + b"]" * 40, "nested"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b"[NaN]", "no number"),
        (b"[1e999]", "too large"),
        (b"[" + b"1" * 5000 + b"]", "limit"),
        (b"[" + b"[]," * 600_000 + b"[]]", "lists and maps"),
        (b"\xff", "utf-8"),
        (b"", "Expecting"),
        (b'"\\ud800"', None),
    ],
)
def test_json_has_bounds(content, why):
    if why is None:
        parse_json(content)
        return
    with pytest.raises(ValueError, match=why):
        parse_json(content)


@pytest.mark.parametrize(
    "value",
    [
        {"$array": [1], "dtype": "O8"},
        {"$array": [1], "dtype": "object", "more": 1},
        {"$array": [[1], [1, 2]], "dtype": "float64"},
        {"$array": ["x" * 1_000_000] + [""] * 1000, "dtype": "str"},
        {"$array": [1], "dtype": "U1000000000"},
        {"$array": [300], "dtype": "int8"},
        {"$array": {}, "dtype": "int8"},
        {"$array": [{}], "dtype": "object"},
        {"$tensor": "fitted/0", "dtype": "float32"},
        {"$scalar": 1, "dtype": "V1000000000"},
        {"$scalar": [1] * 10, "dtype": "float32"},
        {"$dict": [[[1], 2]]},
        {"$tuple": 1},
        {"$pickle": "gASV"},
    ],
)
def test_values_that_nobody_encoded_are_refused(value):
    with pytest.raises(ValueError, match=r".+"):
        decode(value)


def test_large_arrays_come_back_exactly():
    stamps = np.arange(2000).astype("datetime64[us]")
    tensors: dict[str, np.ndarray] = {}
    made = encode({"a": stamps, "b": np.arange(3)}, tensors)
    assert list(tensors) == ["fitted/0"]
    np.testing.assert_equal(decode(made, tensors), {"a": stamps, "b": np.arange(3)})
    assert not tensors


# -- digests ----------------------------------------------------------------------------------

TINY = {
    "task": "classification",
    "seed": 0,
    "data": {"dataset": "gunpoint"},
    "model": {"units": 3, "patch": 10},
    "train": {"epochs": 2},
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return Path(experiment.run(TINY, out=tmp_path_factory.mktemp("runs")).document["run"])


@pytest.fixture
def run(tiny, tmp_path):
    return shutil.copytree(tiny, tmp_path / "run")


def test_every_file_has_its_digest(tiny):
    noted = json.loads((tiny / "run.json").read_text())["files"]
    files = {f.relative_to(tiny).as_posix(): f for f in tiny.rglob("*") if f.is_file()}
    del files["run.json"]
    assert {n: hashlib.sha256(f.read_bytes()).hexdigest() for n, f in files.items()} == noted
    assert "weights.safetensors" in noted
    assert not any(name.endswith((".keras", ".pickle", ".pkl")) for name in noted)


@pytest.mark.parametrize("name", ["model.json", "weights.safetensors", "recipe.resolved.yaml"])
def test_what_is_changed_missing_or_a_link_is_refused_by_name(run, name, tmp_path):
    load_run(run)
    file = run / name
    before = file.read_bytes()
    file.write_bytes(before + b" ")
    with pytest.raises(RunError, match=f"{name}: damaged: it was changed after the run.*fit again"):
        load_run(run)
    file.unlink()
    with pytest.raises(RunError, match=f"{name} missing"):
        load_run(run)
    (tmp_path / "elsewhere").write_bytes(before)
    file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunError, match=f"{name}: damaged: it cannot be read: it is a link"):
        load_run(run)


def test_what_is_not_read_may_be_edited(run):
    (run / "report.html").write_text("my notes")
    (run / "notes.txt").write_text("my notes")
    shutil.rmtree(run / "plots")
    load_run(run)


def test_a_file_without_a_digest_is_refused(run):
    record = json.loads((run / "run.json").read_text())
    del record["files"]["model.json"]
    (run / "run.json").write_text(json.dumps(record))
    with pytest.raises(RunError, match=r"model\.json: damaged: it was added after the run"):
        load_run(run)


# -- without TensorFlow -----------------------------------------------------------------------

WATCH = """
import runpy, sys
sys.argv = ["seqkit", *{arguments!r}]
try:
    runpy.run_module("seqkit.cli", run_name="__main__")
except SystemExit as end:
    assert not end.code, end.code
print([name for name in ("tensorflow", "keras") if name in sys.modules])
"""


HARD = [
    "model.decoder=recursive", "forecast.distribution=student_t", "train.optimizer=nadam",
    "train.ensemble=2", "model.departure_from=last",
]  # fmt: skip


@pytest.mark.parametrize("more", [[], HARD], ids=["airline", "what a graph used to train"])
def test_native_commands_import_neither_tensorflow_nor_keras(tmp_path, more):
    root = Path(__file__).parents[1]
    recipe = str(root / "recipes" / "airline.yaml")
    data = str(root / "seqkit" / "data" / "embedded" / "airline.csv")
    short = [part for setting in ("train.epochs=2", *more) for part in ("--set", setting)]

    def watched(*arguments):
        done = subprocess.run(
            [sys.executable, "-c", WATCH.format(arguments=arguments)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == "[]", arguments

    watched("check", recipe, "--data")
    watched("fit", recipe, "--dry-run")
    watched("fit", recipe, *short)
    [run] = (tmp_path / "runs").iterdir()
    watched("evaluate", str(run))
    watched("forecast", str(run))
    watched("predict", str(run), data, "-o", "p.csv")
    assert (run / "report.html").is_file()
