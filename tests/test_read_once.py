"""A run reads every file once, parses stamps once, makes one panel, and predicts once."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from seqkit import SequenceClassifier, SequenceForecaster, run
from seqkit.data import sequences, stamps, tables
from seqkit.data.rows import Rows
from seqkit.data.sequences import Padded, as_padded
from seqkit.estimators import forecast_data
from seqkit.runs.experiment import evaluate, forecast, predict


@pytest.fixture
def counted(monkeypatch):
    """Count the calls that a run should make once."""
    from seqkit import training

    counts = Counter()

    def count(owner, name, what):
        function = getattr(owner, name)

        def counting(*args, **kwargs):
            counts[what] += 1
            return function(*args, **kwargs)

        monkeypatch.setattr(owner, name, counting)

    count(Rows, "panel", "panels")
    count(stamps, "read_texts", "stamps")
    count(sequences, "fill_missing", "padded")
    count(training, "predict", "predictions")
    count(tables, "read_csv", "files")
    count(SequenceClassifier, "_encode_target", "targets")
    count(forecast_data, "hold_out", "divisions")
    return counts


def series(n, name="a"):
    steps = np.arange(n)
    return pd.DataFrame(
        {
            "unique_id": name,
            "ds": pd.date_range("2024-01-01", periods=n, freq="h").astype(str),
            "y": 10 + np.sin(steps * 2 * np.pi / 12) + 0.1 * np.cos(steps**2),
            "holiday": (steps % 12 < 3).astype(float),
        }
    )


@pytest.fixture
def recipe(tmp_path):
    file = tmp_path / "load.csv"
    pd.concat([series(90), series(80, "b")]).to_csv(file, index=False)
    return {
        "task": "forecasting",
        "seed": 0,
        "data": {
            "path": str(file), "series_id": "unique_id", "time": "ds", "target": "y",
            "future_covariates": ["holiday"], "calendar": ["hour"],
            "split": {"test": 24, "validation": 0},
        },
        "model": {"units": 4},
        "train": {"epochs": 1, "patience": 0},
        "forecast": {"context_length": 12, "horizon": 6, "quantiles": [0.1, 0.5, 0.9]},
        "evaluate": {"season": 12, "backtest": {"windows": 3, "step": 6}},
    }  # fmt: skip


def test_a_forecasting_run_of_three_windows_does_everything_once(recipe, tmp_path, counted):
    folder = run(recipe, out=tmp_path / "runs", name="once").document["run"]
    # what the check has read and divided is what is fitted on
    assert counted == {"files": 1, "stamps": 1, "panels": 1, "predictions": 1, "divisions": 1}

    counted.clear()
    evaluate(folder)
    assert counted == {"files": 1, "stamps": 1, "panels": 1, "predictions": 1}

    # the intervals come from the windows of the test part: one prediction more, of all of them
    counted.clear()
    coming = series(96).tail(6), series(86, "b").tail(6)
    pd.concat(coming).to_csv(tmp_path / "coming.csv", index=False)
    forecast(folder, future=str(tmp_path / "coming.csv"), interval=0.8)
    assert counted == {"files": 2, "stamps": 2, "panels": 1, "predictions": 2}

    counted.clear()
    predict(folder, recipe["data"]["path"], tmp_path / "by_origin.csv")
    assert counted == {"files": 1, "stamps": 1, "panels": 1, "predictions": 1}


def test_fitting_anew_at_each_origin_still_reads_once(recipe, tmp_path, counted):
    recipe["evaluate"]["backtest"]["refit"] = True
    result = run(recipe, out=tmp_path / "runs", name="refit")
    # the check divides what is fitted, and the backtest fits anew at each of three origins
    assert counted.pop("divisions") == 1 + 3
    assert counted == {"files": 1, "stamps": 1, "panels": 1, "predictions": 3}
    # the seed is the recipe's, whoever asks
    told = {k: v for k, v in result.scores.items() if k != "findings"}  # which are of the run
    assert evaluate(result.document["run"]).scores == told


def test_a_run_of_labelled_series_pads_and_predicts_each_part_once(tmp_path, counted):
    generator = np.random.default_rng(0)
    for part, n in (("TRAIN", 40), ("TEST", 12)):
        rows = pd.DataFrame(generator.normal(size=(n, 16)), columns=[f"t{i}" for i in range(16)])
        rows.assign(label=np.arange(n) % 2).to_csv(tmp_path / f"{part}.csv", index=False)
    recipe = {
        "task": "classification",
        "seed": 0,
        "data": {
            "path": str(tmp_path / "TRAIN.csv"), "test_path": str(tmp_path / "TEST.csv"),
            "target": "label", "split": {"validation": 0.25},
        },
        "model": {"units": 4},
        "train": {"epochs": 1},
    }  # fmt: skip
    run(recipe, out=tmp_path / "runs", name="once")
    # train, validation and test are padded; validation and test are predicted, and some of train,
    # to see whether all answers are one
    assert counted["files"] == 2
    assert counted["padded"] == 3
    assert counted["predictions"] == 3
    assert counted["targets"] == 2  # of train and validation: the fit takes what the check has read


def test_a_fit_on_what_was_checked_is_the_fit_on_the_data():
    draw = np.random.default_rng(0)
    X, y = draw.normal(size=(60, 8, 2)), np.arange(60) % 3
    settings = {"units": 4, "epochs": 2, "random_state": 0}
    for validation_data in (None, (X[:20], y[:20])):
        model = SequenceClassifier(**settings, validation=0.25, patience=1, dropout=0.3)
        train, held = model._checked(X, y, None, validation_data)
        again = clone(model).fit(train, None, validation_data=held and (held, None))
        model.fit(X, y, validation_data=validation_data)
        assert model.history_ == again.history_
        assert vars(model).keys() == vars(again).keys()
        np.testing.assert_array_equal(model.predict_proba(X), again.predict_proba(X))
    wave = np.sin(np.arange(120.0))
    model = SequenceForecaster(context_length=12, horizon=4, validation=12, patience=1, **settings)
    again = clone(model).fit(model._checked(wave))
    model.fit(wave)
    assert model.history_ == again.history_
    assert vars(model).keys() == vars(again).keys()
    np.testing.assert_array_equal(model.forecast(), again.forecast())


def test_what_is_padded_is_taken_as_it_is():
    padded = as_padded([np.ones((2, 1)), np.ones((3, 1))])
    assert as_padded(padded) is padded
    assert isinstance(padded, Padded)


# What a fit may need, but no prediction of a run that is there.
NOT_FOR_PREDICTIONS = (
    "tensorflow", "keras", "matplotlib", "rich", "jinja2", "scipy.stats._stats_py",
    "sklearn.metrics", "sklearn.model_selection", "seqkit.builders", "seqkit.evaluation.backtest",
    "seqkit.report.html",
)  # fmt: skip


def test_a_prediction_loads_nothing_of_what_scores_and_draws(recipe, tmp_path):
    del (
        recipe["data"]["future_covariates"],
        recipe["data"]["calendar"],
    )  # trained without TensorFlow
    folder = run(recipe, out=tmp_path / "runs", name="light").document["run"]
    data = recipe["data"]["path"]
    for command in (["forecast", folder], ["predict", folder, data]):
        program = (
            "import sys\n"
            f"sys.argv = {['seqkit', *command, '-o', str(tmp_path / 'predicted.csv')]!r}\n"
            "from seqkit.cli import main\n"
            "try:\n    main()\n"
            "except SystemExit as end:\n    assert not end.code\n"
            f"print([name for name in {NOT_FOR_PREDICTIONS} if name in sys.modules])"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines()[-1] == "[]", command


def test_a_module_put_off_is_whole_when_it_is_used():
    program = (
        "import sys\n"
        "from seqkit.system.deferred_import import deferred\n"
        "deferred('xml.dom.minidom')\n"
        "import xml.dom.minidom\n"
        "assert 'xml.dom.expatbuilder' not in sys.modules\n"
        "assert 'parseString' not in vars(xml.dom.minidom)\n"  # nothing has been run
        "assert not hasattr(xml.dom.minidom, '__wrapped__')\n"
        "assert 'parseString' not in vars(xml.dom.minidom)\n"
        "from xml.dom.minidom import parseString\n"
        "print(parseString('<a/>').documentElement.tagName)\n"
        "try:\n    xml.dom.minidom.nothing\n"
        "except AttributeError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    lines = ["a", "module 'xml.dom.minidom' has no attribute 'nothing'"]
    assert done.stdout.splitlines() == lines, done.stderr
