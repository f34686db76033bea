"""Estimators saved into a folder of their own: whole or an error, and nothing that could run."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from conftest import some
from sklearn.exceptions import NotFittedError

import seqkit
from seqkit import RunError, SequenceClassifier, SequenceForecaster, SequenceRegressor
from seqkit.estimators import saving

QUICK = {"units": 3, "epochs": 2, "random_state": 0}
rng = np.random.default_rng(0)
X = rng.normal(size=(12, 9, 2))
FRAME = pd.DataFrame(
    {"ds": pd.date_range("2024-01-01", periods=40), "y": 1e6 + rng.normal(size=40).cumsum()}
)
KINDS = {
    "labels": lambda: SequenceClassifier(**QUICK).fit(X, ["a", "b", "c"] * 4),
    "numbers": lambda: SequenceRegressor(**QUICK).fit(list(X), 1e6 + X[:, :2, 0]),
    "frame": lambda: SequenceForecaster(
        context_length=[8, 6], horizon=3, calendar=["weekday"], **QUICK
    ).fit(FRAME),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module")
def models():
    return {kind: make() for kind, make in KINDS.items()}


def answers(model):
    if isinstance(model, SequenceForecaster):
        return model.forecast(horizon=5).to_numpy()[:, 1:].astype(float)
    return (model.predict_proba if hasattr(model, "classes_") else model.predict)(X)


@every_kind
def test_it_comes_back_whole(kind, models, tmp_path):
    model = models[kind]
    model.save(tmp_path / "deep" / "model")
    for other in (seqkit.load(tmp_path / "deep" / "model"),
                  type(model).load(str(tmp_path / "deep" / "model"))):  # fmt: skip
        assert type(other) is type(model)
        np.testing.assert_array_equal(answers(other), answers(model))
        assert repr(other.get_params()) == repr(model.get_params())
        assert other.history_ == model.history_
    names = sorted(path.name for path in (tmp_path / "deep" / "model").iterdir())
    assert names == ["estimator.json", "model.json", "network.json", "weights.safetensors"]
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == ["model"]


def test_another_process_needs_no_tensorflow(models, tmp_path):
    models["labels"].save(tmp_path / "model")
    program = (
        "import sys, numpy, seqkit\n"
        f"model = seqkit.load({str(tmp_path / 'model')!r})\n"
        "print(model.predict(numpy.zeros((1, 9, 2))), 'tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip().endswith("False"), done.stderr


def test_settings_are_those_of_the_fit(models, tmp_path):
    model = KINDS["labels"]().set_params(units=99)
    model.save(tmp_path / "model")
    again = SequenceClassifier.load(tmp_path / "model")
    assert again.units == 3
    assert again.random_state == 0
    np.testing.assert_array_equal(answers(again), answers(models["labels"]))


def test_a_saved_estimator_is_replaced_and_nothing_else_is(models, tmp_path, monkeypatch):
    models["labels"].save(tmp_path / "model")
    models["numbers"].save(tmp_path / "model")
    assert isinstance(seqkit.load(tmp_path / "model"), SequenceRegressor)

    def fails(*args):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(saving, "digest_of", fails)
        with pytest.raises(RunError, match="No space left"):
            models["labels"].save(tmp_path / "model")
    assert isinstance(seqkit.load(tmp_path / "model"), SequenceRegressor)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "folder").mkdir()
    for name in ("notes.txt", "folder"):
        with pytest.raises(RunError, match="something else is there"):
            models["labels"].save(tmp_path / name)
    with pytest.raises(RunError, match=r"model_\.save"):
        models["labels"].save(tmp_path / "model.keras")
    with pytest.raises(NotFittedError):
        SequenceClassifier().save(tmp_path / "new")


def test_what_is_not_one_is_named(models, tmp_path):
    models["labels"].save(tmp_path / "model")
    with pytest.raises(RunError, match="this is a SequenceClassifier, no SequenceRegressor"):
        SequenceRegressor.load(tmp_path / "model")
    with pytest.raises(RunError, match="no saved estimator"):
        seqkit.load(tmp_path / "absent")
    with pytest.raises(RunError, match="no saved estimator"):
        seqkit.load(tmp_path)
    note = tmp_path / "model" / "estimator.json"
    note.write_text(json.dumps(json.loads(note.read_text()) | {"format": 9}))
    with pytest.raises(RunError, match="Update seqkit"):
        seqkit.load(tmp_path / "model")


@every_kind
def test_a_changed_file_is_found(kind, models, tmp_path):
    models[kind].save(tmp_path / "model")
    for path in some(sorted((tmp_path / "model").iterdir())):
        content = path.read_bytes()
        for changed in (content[:-2], content[:40] + b"~" + content[41:], b""):
            path.write_bytes(changed)
            with pytest.raises(RunError):
                seqkit.load(tmp_path / "model")
        path.unlink()
        with pytest.raises(RunError):
            seqkit.load(tmp_path / "model")
        path.write_bytes(content)
    seqkit.load(tmp_path / "model")


def test_a_description_that_fits_its_digest_is_checked_all_the_same(models, tmp_path):
    """Digests tell damage; against malice every fact is checked, as in a run folder."""
    models["labels"].save(tmp_path / "model")
    model, note = tmp_path / "model" / "model.json", tmp_path / "model" / "estimator.json"
    whole = json.loads(model.read_text())
    for change in (
        {"task": "os:system"}, {"parameters": whole["parameters"] | {"cell": "../x"}},
        {"fitted": whole["fitted"] | {"fit": 1}}, {"more": 1},
    ):  # fmt: skip
        model.write_text(json.dumps(whole | change))
        digests = json.loads(note.read_text())
        digests["files"]["model.json"] = saving.digest_of(model)
        note.write_text(json.dumps(digests))
        with pytest.raises(RunError, match="damaged"):
            seqkit.load(tmp_path / "model")


def test_a_run_folder_is_loaded_too():
    from conftest import ROOT

    folders = sorted((ROOT / "tests" / "runs").glob("*/*/run"))
    for folder in some(folders):
        assert type(seqkit.load(folder)) is type(seqkit.load_run(folder))
