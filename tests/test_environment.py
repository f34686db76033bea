"""The world around a run: output nobody reads, other backends, forks, memory, the unforeseen."""

from __future__ import annotations

import filecmp
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import seqkit
from seqkit.cli import cli
from seqkit.data.labels import integer_labels, labels_like
from seqkit.data.readers import read_sequences
from seqkit.estimators.classifier import SequenceClassifier
from seqkit.report.tables import without_formulas
from seqkit.system.console import TolerantStream

RECIPE = """\
task: classification
seed: 1
data: {path: series.csv, target: label, layout: wide}
model: {cell: gru, units: 3, patch: 4}
train: {epochs: 2, schedule: cosine}
"""
X = np.random.default_rng(0).normal(size=(24, 12))
SMALL = {"units": 3, "epochs": 2, "validation": 0, "patience": 0, "random_state": 0}


@pytest.fixture
def folder(tmp_path):
    frame = pd.DataFrame(X, columns=[f"t{i}" for i in range(12)])
    frame["label"] = np.array(["1", "2", "10"])[np.arange(24) % 3]
    frame.to_csv(tmp_path / "series.csv", index=False)
    (tmp_path / "r.yaml").write_text(RECIPE)
    return tmp_path


def shell(command, folder, **environment):
    """Run a shell's command line; ``seqkit`` in it is this one."""
    command = command.replace("seqkit ", f"{sys.executable} -m seqkit.cli ")
    return subprocess.run(
        ["sh", "-c", command], cwd=folder, capture_output=True, timeout=300,
        env={**os.environ, **environment},
    )  # fmt: skip


def whole_runs(folder):
    return sorted(p for p in (folder / "runs").iterdir() if (p / "report.html").is_file())


def test_output_that_cannot_be_written_stops_no_run(folder):
    ascii_only = shell("seqkit fit r.yaml", folder, PYTHONIOENCODING="ascii", LC_ALL="C")
    assert ascii_only.returncode == 0
    assert b"| accuracy ^" in ascii_only.stdout
    assert ascii_only.stdout.isascii()
    closed = shell("seqkit fit r.yaml >&- 2>&- <&-", folder)
    assert closed.returncode == 0
    if Path("/dev/full").exists():
        full = shell("seqkit fit r.yaml > /dev/full", folder)
        assert full.returncode == 1
        assert full.stderr == (
            b"Error: standard output cannot be written: No space left on device.\n"
        )
        assert len(whole_runs(folder)) == 3
    assert b"Traceback" not in ascii_only.stderr


def test_equal_runs_have_equal_files(folder, monkeypatch):
    monkeypatch.chdir(folder)
    for _ in range(2):
        result = CliRunner().invoke(cli, ["fit", "r.yaml"])
        assert result.exit_code == 0, result.output
    one, two = whole_runs(folder)
    for name in ("metrics.json", "predictions.parquet", "history.csv", "model.json"):
        assert filecmp.cmp(one / name, two / name, shallow=False), name
    assert json.loads((one / "metrics.json").read_text())["parts"]["test"]["confusion"][
        "labels"
    ] == [1, 2, 10]


def test_names_that_are_no_utf_8_work(folder):
    name = b"s\xffries.csv"
    os.rename(folder / "series.csv", os.path.join(os.fsencode(folder), name))
    recipe = RECIPE.replace("series.csv", "'s*.csv'")
    Path(os.fsdecode(os.path.join(os.fsencode(folder), b"r\xff.yaml"))).write_text(recipe)
    done = shell("seqkit fit r?.yaml --out runs", folder)
    assert done.returncode == 0, done.stderr
    (run,) = whole_runs(folder)
    assert os.fsdecode(name) in next(iter(json.loads((run / "run.json").read_text())["data"]))
    refused = shell("seqkit init s?ries.csv", folder)
    assert refused.returncode == 2
    assert refused.stderr.count(b"\n") == 1


def test_places_that_cannot_be_written_or_are_gone(folder):
    gone = "mkdir gone; cd gone; rmdir ../gone; "
    for command in (
        "seqkit schema -o /proc/none/x.json", "seqkit schema -o .", f"{gone}seqkit list"
    ):  # fmt: skip
        done = shell(command, folder)
        assert done.returncode == 2, command
        assert done.stderr.startswith(b"Error: ")
        assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("error", [ZeroDivisionError("a\nb"), EOFError(), MemoryError()])
def test_the_unforeseen_is_one_line_with_a_log(monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr("seqkit.listing.list_text", fail)
    result = CliRunner().invoke(cli, ["list"])
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "Aborted" not in result.stderr
    log = Path(result.stderr.split("The traceback is in ")[1].strip().rstrip("."))
    assert "Traceback" in log.read_text()
    assert type(error).__name__ in log.read_text()
    log.unlink()


def test_the_unforeseen_in_a_run_is_told_in_its_log(folder, monkeypatch):
    def fail(*_):
        raise KeyError("what")

    monkeypatch.chdir(folder)
    monkeypatch.setattr("seqkit.runs.flows.series.SeriesFlow.assess", fail)
    result = CliRunner().invoke(cli, ["fit", "r.yaml", "--quiet", "--json"])
    assert result.exit_code == 1
    (message,) = json.loads(result.stdout)["messages"]
    log = Path(message.split("The traceback is in ")[1].rstrip("."))
    assert log.parent.parent.name == "runs"
    assert "KeyError: 'what'" in log.read_text()


def test_a_stream_fails_once_and_silently(tmp_path):
    class Full:
        def write(self, text):
            raise OSError(28, "No space left on device")

    stream = TolerantStream(Full())
    assert stream.write("abc") == 3
    stream.flush()
    assert stream.failure.errno == 28


OTHER_BACKEND = """
import numpy as np
from seqkit import SequenceClassifier
X, y = np.random.default_rng(0).normal(size=(20, 12)), np.arange(20) % 2
kw = dict(units=3, epochs=1, validation=0, patience=0)
print(SequenceClassifier(**kw).fit(X, y).trainer_)
class Callback:
    pass
for use in (lambda: SequenceClassifier(**kw).fit(X, y, callbacks=[Callback()]),
            lambda: SequenceClassifier(**kw).fit(X, y).model_,
            lambda: __import__("seqkit").GatedRNN):
    try:
        use()
    except RuntimeError as error:
        print(error)
"""


@pytest.mark.parametrize("how", ["variable", "file"])
def test_another_backend_of_keras_stops_only_what_needs_keras(folder, how):
    (folder / "keras.json").write_text('{"backend": "jax"}')
    where = {"KERAS_BACKEND": "jax"} if how == "variable" else {"KERAS_HOME": str(folder)}
    environment = {k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"} | where
    done = subprocess.run(
        [sys.executable, "-c", OTHER_BACKEND], capture_output=True, text=True, env=environment
    )
    lines = done.stdout.splitlines()
    assert lines[0] == "native", done.stderr
    assert len(lines) == 4
    assert all("got 'jax'. Set KERAS_BACKEND=tensorflow" in line for line in lines[1:])


FORKED = """
import multiprocessing, os
import numpy as np
from seqkit import SequenceClassifier
X, y = np.random.default_rng(0).normal(size=(20, 12)), np.arange(20) % 2
kw = dict(units=3, epochs=1, validation=0, patience=0, random_state=0)
native = SequenceClassifier(**kw).fit(X, y)
import keras
class Sees(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.count_params()
SequenceClassifier(**kw).fit(X, y, callbacks=[Sees()])
def work():
    again = SequenceClassifier(**kw).fit(X, y)
    print((again.predict_proba(X) == native.predict_proba(X)).all(), flush=True)
    try:
        SequenceClassifier(**kw).fit(X, y, callbacks=[Sees()])
    except RuntimeError as error:
        print(error, flush=True)
child = multiprocessing.get_context("fork").Process(target=work)
child.start(); child.join(60); child.kill()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_trains_natively_and_refuses_graphs():
    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True)
    first, second = done.stdout.splitlines()
    assert first == "True"
    assert "forked" in second


REGISTERED = """
import sys
exec(sys.argv[1])
import keras
keras.saving.load_model(sys.argv[2], compile=False)
"""


@pytest.mark.parametrize("first", ["import keras, seqkit", "import seqkit.layers"])
def test_keras_reads_a_saved_model(tmp_path, first):
    path = tmp_path / "m.keras"
    if "keras" in first:
        SequenceClassifier(bidirectional=True, **SMALL).fit(X, np.arange(24) % 2).model_.save(path)
    else:
        from seqkit.estimators.forecaster import SequenceForecaster

        model = SequenceForecaster(context_length=[4, 8], ensemble=2, horizon=2, units=3, epochs=1)
        model.fit(np.sin(np.arange(60.0))).model_.save(path)
    done = subprocess.run([sys.executable, "-c", REGISTERED, first, path], capture_output=True)
    assert done.returncode == 0, done.stderr[-2000:]


def test_float64_trains():
    import keras

    keras.config.set_dtype_policy("float64")
    try:
        model = SequenceClassifier(**SMALL).fit(X, np.arange(24) % 2)
        assert "float64" in model.trainer_
        assert all(w.dtype == np.float64 for w in model.weights_)
        assert np.isfinite(model.predict_proba(X)).all()
    finally:
        keras.config.set_dtype_policy("float32")


def test_graphs_of_a_fit_leave_the_memory():
    """One custom gradient that TensorFlow keeps would keep the whole graph it is of."""
    import gc

    import keras
    from tensorflow.python.framework.func_graph import FuncGraph

    class SeesModel(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.count_params()

    def graphs():
        gc.collect()
        return sum(isinstance(thing, FuncGraph) for thing in gc.get_objects())

    y = np.arange(24) % 2
    SequenceClassifier(**SMALL).fit(X, y, callbacks=[SeesModel()])
    before = graphs()
    for units in (4, 5):
        SequenceClassifier(**{**SMALL, "units": units}).fit(X, y, callbacks=[SeesModel()])
    assert graphs() <= before


def test_text_starts_no_formula_unless_asked_for():
    frame = pd.DataFrame(
        {"=x": ["=1+1", "+a", "-b", "@c", "\td", "\re", "f=", ""], "n": -np.arange(8.0)}
    )
    safe = without_formulas(frame)
    assert safe.columns.tolist() == ["'=x", "n"]
    assert safe["'=x"].tolist() == ["'=1+1", "'+a", "'-b", "'@c", "'\td", "'\re", "f=", ""]
    assert safe["n"].equals(frame["n"])
    assert frame.columns[0] == "=x"


def test_whole_number_labels_are_numbers(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("".join(f"{label}\t0.5\t1\n" for label in (10, 1, 2, 10)))
    assert np.unique(read_sequences(path).y).tolist() == [1, 2, 10]
    for kept in (["01", "1"], ["1.0", "2.0"], ["1", "b"], ["+1", "2"], ["9" * 30, "1"]):
        assert integer_labels(np.array(kept)).tolist() == kept
    assert labels_like(np.array([1]), np.array([1, 2])).tolist() == [1]


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_the_rate_told_is_the_rate_of_the_last_step(optimizer):
    epochs, steps, base = 4, 3, 0.01
    told = []
    model = SequenceClassifier(
        **{**SMALL, "epochs": epochs},
        batch_size=8,
        learning_rate=base,
        schedule="cosine",
        optimizer=optimizer,
    )
    y = np.arange(24) % 2
    model.fit(X, y, on_epoch=lambda _, logs, __: told.append(logs["learning_rate"]))
    last = np.arange(1, epochs + 1) * steps - 1
    expected = 0.5 * base * (1 + np.cos(np.pi * last / (epochs * steps)))
    np.testing.assert_allclose(model.history_["learning_rate"], expected, rtol=1e-12)
    assert told == model.history_["learning_rate"]


def test_verbose_shows_the_end_where_there_is_no_terminal(capsys):
    SequenceClassifier(**SMALL, verbose=1).fit(X, np.arange(24) % 2)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("epoch 2/2  loss ")


def test_messages_stay_short_whatever_the_data_hold(folder, monkeypatch):
    monkeypatch.chdir(folder)
    frame = pd.read_csv("series.csv", dtype={"label": str})
    other = frame.assign(label=["x" * 3000 + str(i) for i in range(len(frame))])
    other.to_csv("other.csv", index=False)
    recipe = RECIPE.replace("layout: wide", "layout: wide, test_path: other.csv")
    Path("r.yaml").write_text(recipe)
    result = CliRunner().invoke(cli, ["check", "r.yaml", "--data"])
    assert result.exit_code == 2
    assert len(result.output) < 1000
    net = SequenceClassifier(**SMALL).fit(X, frame["label"])
    with pytest.raises(ValueError, match="only the classes") as error:
        net.partial_fit(X, other["label"])
    assert len(str(error.value)) < 1000
    monkeypatch.setattr("seqkit.listing.list_text", lambda _: _fail())
    assert len(CliRunner().invoke(cli, ["list"]).output) < 2100


def _fail():
    raise seqkit.DataError("y" * 10_000)
