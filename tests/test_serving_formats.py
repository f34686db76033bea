"""Artefacts where seqkit is not: SavedModel, LiteRT, and ``.keras`` with the layers alone."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from conftest import ROOT, some
from serving_table import NETWORKS, classifier, forecaster, regressor, tagger
from test_guides import BLOCK, DOCS, commanded

from seqkit import ExportError, export, run
from seqkit.cells import CELLS, Weights
from seqkit.exports import EXPORTS
from seqkit.exports.examples import examples_of, signature_of
from seqkit.exports.litert import read
from seqkit.exports.saved_model import SIGNATURES
from seqkit.network.keras.kernels import portable, reference
from seqkit.network.keras.kernels.blocks import in_blocks
from seqkit.network.layers.recurrent import Recurrent

RNG = np.random.default_rng(0)


def alone(code, folder, *absent):
    """Run Python in a folder, where the packages that are `absent` cannot be imported."""
    blocked = "\n".join(f"sys.modules[{name!r}] = None" for name in absent)
    environment = {**os.environ, "PYTHONPATH": "" if "seqkit" in absent else str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{blocked}\n{code}"], cwd=folder, env=environment,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


# SavedModel ---------------------------------------------------------------------------------------

SERVED = {
    "classifier": lambda: classifier(cell="vanilla", units=8),
    "regressor": lambda: regressor(units=8, quantiles=[0.1, 0.5, 0.9]),
    "tagger": lambda: tagger(units=8),
    "labels": lambda: tagger(True, units=8),
    "forecaster": lambda: forecaster(units=8, distribution="student_t"),
}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Exports of every task, and what they answer in a process without seqkit and Keras."""
    folder = tmp_path_factory.mktemp("served")
    models = {}
    for name, make in SERVED.items():
        models[name] = make()
        model, data = models[name]
        export(model, folder / name / "1", "saved_model", data=data)
        np.savez(folder / f"{name}.npz", **examples_of(model, data)[-1].inputs)
    code = """
import numpy as np, tensorflow as tf
for name in %r:
    loaded = tf.saved_model.load(f"{name}/1")
    given = {k: tf.constant(v) for k, v in np.load(f"{name}.npz").items()}
    answers = [loaded.signatures[one](**given) for one in %r]
    for key in answers[0]:
        assert (answers[0][key].numpy() == answers[1][key].numpy()).all()
    np.savez(f"{name}-answers.npz", **{k: v.numpy().astype("U") if v.dtype == tf.string else v
                                       for k, v in answers[0].items()})
assert sys.modules["keras"] is None
""" % (list(SERVED), SIGNATURES)  # noqa: UP031  # the code has braces of its own
    alone(code, folder, "seqkit", "keras")
    return {name: (*models[name], dict(np.load(folder / f"{name}-answers.npz"))) for name in SERVED}


def test_a_saved_model_gives_classes_where_neither_seqkit_nor_keras_is(served):
    model, data, answers = served["classifier"]
    example = examples_of(model, data)[-1]
    np.testing.assert_allclose(answers["probabilities"], example.answers, atol=1e-5)
    assert (answers["classes"] == model.classes_).all()
    rows = [x[:n] for x, n in zip(example.inputs["x"], example.inputs["lengths"], strict=True)]
    assert answers["predicted"].tolist() == model.predict(rows).tolist()


def test_a_saved_model_gives_the_class_of_every_step_and_none_of_padding(served):
    for name, nothing in (("tagger", ""), ("labels", 0)):
        model, data, answers = served[name]
        inputs = examples_of(model, data)[-1].inputs
        rows = [x[:n] for x, n in zip(inputs["x"], inputs["lengths"], strict=True)]
        for made, truth in zip(answers["predicted"], model.predict(rows), strict=True):
            assert made[: len(truth)].tolist() == truth.tolist()
            assert (made[len(truth) :] == nothing).all()


def test_a_saved_model_gives_levels_targets_and_parameters(served):
    model, data, answers = served["regressor"]
    truth = examples_of(model, data)[-1].answers
    np.testing.assert_allclose(answers["prediction"], truth, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(answers["quantiles"], [[0.1, 0.5, 0.9]] * len(truth), rtol=1e-6)
    model, data, answers = served["forecaster"]
    truth = examples_of(model, data)[-1].answers
    np.testing.assert_allclose(answers["forecast"].reshape(truth.shape), truth, rtol=1e-4)
    assert answers["parameters"].shape == (len(truth), answers["forecast"].shape[-1])
    assert answers["targets"].shape == (len(truth), 1)


# LiteRT -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def light(tmp_path_factory):
    """One model in both formats: 64 units, so that there are matrices to be rounded."""
    folder = tmp_path_factory.mktemp("light")
    model, data = tagger(units=64)
    written = {
        name: export(model, folder / f"{name}.tflite", name, data=data)
        for name in ("litert", "litert_int8")
    }
    return model, data, written


def test_litert_has_builtin_operations_only_and_says_what_it_is(light):
    from ai_edge_litert.interpreter import Interpreter

    model, _, written = light
    exact, rounded = written["litert"], written["litert_int8"]
    assert exact.agreement.relative < 1e-6
    assert 1e-6 < rounded.agreement.relative < 0.05
    assert rounded.path.stat().st_size < 0.6 * exact.path.stat().st_size
    for one in written.values():
        interpreter = Interpreter(str(one.path))
        names = {detail["op_name"] for detail in interpreter._get_ops_details()}
        assert "WHILE" in names
        assert not [name for name in names if name.startswith("Flex") or "CUSTOM" in name]
        with zipfile.ZipFile(one.path) as archive:
            document = json.loads(archive.read("seqkit.json"))
        assert document["verified"] == one.agreement.document()
        [[_, ends]] = interpreter.get_signature_list().items()
        assert sorted(ends["inputs"]) == sorted(t.name for t in signature_of(model).inputs)
        assert ends["outputs"] == [signature_of(model).output.name]


def test_padding_and_neighbours_change_no_answer_of_litert(light):
    """Any batch and any number of steps, after the metadata are in the file."""
    model, data, written = light
    ask = read(written["litert"].path, model)
    inputs = examples_of(model, data)[-1].inputs
    x, lengths = inputs["x"], inputs["lengths"]
    whole = ask(inputs)
    wide = np.pad(x, [(0, 0), (0, 7), (0, 0)], constant_values=9.0)
    padded = ask({"x": wide, "lengths": lengths})
    for i in (0, 5, len(x) - 1):
        n = lengths[i]
        by_itself = ask({"x": x[i : i + 1, :n], "lengths": lengths[i : i + 1]})
        np.testing.assert_allclose(by_itself[0], whole[i, :n], atol=1e-6)
        np.testing.assert_allclose(padded[i, :n], whole[i, :n], atol=1e-6)


def test_what_litert_has_not_is_named(tmp_path):
    import keras

    class Odd(keras.layers.Layer):
        def call(self, x):
            return tf.math.bessel_i0(x)

    model, _ = classifier(np.zeros((40, 6, 2)), units=2)
    given = keras.Input((None, 2))
    model._model_ = keras.Model(
        given, Odd(name="unheard_of")(keras.layers.GlobalMaxPooling1D()(given))
    )
    with pytest.raises(ExportError, match=r"no operation for BesselI0 in \S*unheard_of"):
        export(model, tmp_path / "model.tflite")
    assert not list(tmp_path.iterdir())


def test_a_package_that_is_missing_is_told_before_anything_is_trained(tmp_path, monkeypatch):
    found = importlib.util.find_spec

    def without(name, *more):
        return None if name == "ai_edge_litert" else found(name, *more)

    model, _ = classifier(units=2)
    monkeypatch.setattr(importlib.util, "find_spec", without)
    recipe = {"task": "classification", "data": {"dataset": "gunpoint"}, "export": ["litert"]}
    with pytest.raises(ExportError, match=re.escape("pip install 'seqkit[litert]'")):
        run(recipe, out=tmp_path / "runs")
    with pytest.raises(ExportError, match=re.escape("pip install 'seqkit[litert]'")):
        export(model, tmp_path / "model.tflite")
    assert not list(tmp_path.iterdir())


def of_cell(cell, n_features=3, units=4):
    layer = Recurrent(cell, units)
    made = {
        p.name: tf.constant(RNG.normal(scale=0.5, size=p.shape).astype(np.float32))
        for p in layer.parameters((None, n_features))
    }
    return Weights(**made), tuple(
        tf.constant(RNG.uniform(size=(2, units)).astype(np.float32)) for _ in layer.row.states
    )


@pytest.mark.parametrize("cell", list(CELLS))
def test_blocks_compute_what_the_reference_does(cell):
    weights, initial = of_cell(cell)
    n_states = len(CELLS[cell].states)
    spec = [tf.TensorSpec([None, 2, 3], tf.float32)]
    blocks = tf.function(
        lambda x: in_blocks(CELLS[cell], x, weights, initial, n_states), input_signature=spec
    )
    plain = tf.function(
        lambda x: reference(CELLS[cell], x, weights, initial)[0], input_signature=spec
    )
    for n_steps in (1, 2, 5, 9, 10, 23):
        x = tf.constant(RNG.normal(size=(n_steps, 2, 3)).astype(np.float32))
        for made, truth in zip(blocks(x), plain(x), strict=True):
            np.testing.assert_allclose(made, truth, rtol=1e-6, atol=1e-7)
    x = tf.constant(RNG.normal(size=(3, 2, 3)).astype(np.float32))  # written out
    for made, truth in zip(in_blocks(CELLS[cell], x, weights, initial), plain(x), strict=False):
        np.testing.assert_allclose(made, truth, rtol=1e-6, atol=1e-7)


def operations(layer, **mode):
    with portable(**mode):
        traced = tf.function(layer).get_concrete_function(tf.TensorSpec([None, None, 3]))
    graph = traced.graph.as_graph_def()
    return {node.op for part in (graph, *graph.library.function)
            for node in (part.node if part is graph else part.node_def)}  # fmt: skip


def test_portable_layers_have_lists_only_where_the_runtime_has():
    from seqkit.layers import GatedRNN

    layer = GatedRNN(4, "lstm", kernel="keras", return_sequences=True)
    layer(np.zeros((1, 2, 3), np.float32))
    assert any(name.startswith("TensorList") for name in operations(layer, tensor_lists=True))
    names = operations(layer, tensor_lists=False)
    assert not [name for name in names if name.startswith("TensorList")]
    assert "TensorScatterUpdate" in names


# .keras -------------------------------------------------------------------------------------------

RELOAD = """
import keras, numpy as np, seqkit.layers
for name in %r:
    model = keras.saving.load_model(f"{name}.keras", safe_mode=True)
    given = dict(np.load(f"{name}.npz"))
    given = given if isinstance(model.input, dict) else given["x"]
    np.save(f"{name}.npy", model.predict(given, verbose=0))
assert not [name for name in sys.modules if name.startswith("seqkit.estimators")]
"""


def reloaded_alike(makes, folder):
    """Every .keras file answers in another process, of seqkit's layers only, as the estimator."""
    truth = {}
    for number, make in enumerate(makes):
        model, data = make()
        export(model, folder / f"{number}.keras", data=data, verify=False)
        example = examples_of(model, data)[-1]
        truth[number] = example.answers, example.valid
        np.savez(folder / f"{number}.npz", **example.inputs)
    alone(RELOAD % list(truth), folder)
    for number, (answers, valid) in truth.items():
        made = np.load(folder / f"{number}.npy").reshape(answers.shape)
        valid = slice(None) if valid is None else valid
        np.testing.assert_allclose(
            made[valid], answers[valid], rtol=1e-4, atol=1e-5 * np.abs(answers).max()
        )


def test_a_keras_file_is_reloaded_with_the_layers_alone(tmp_path):
    names = ["pyramid, moves, an ensemble", "tagging, the next token",
             "forecast, recursive, covariates, student_t"]  # fmt: skip
    reloaded_alike([NETWORKS[name] for name in names], tmp_path)


@pytest.mark.slow
def test_keras_files_of_every_network_are_reloaded_with_the_layers_alone(tmp_path):
    reloaded_alike(NETWORKS.values(), tmp_path)


# all of them --------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("format", ["saved_model", "litert", "litert_int8"])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_is_exported(name, format, tmp_path):
    model, data = NETWORKS[name]()
    written = export(model, tmp_path / f"1{EXPORTS[format].suffix}", format, data=data)
    assert written.agreement.relative < (0.1 if format == "litert_int8" else 1e-5)


@pytest.mark.slow
def test_a_recipe_exports_all_formats(tmp_path):
    recipe = {
        "task": "classification", "data": {"dataset": "gunpoint"}, "export": list(EXPORTS),
        "model": {"units": 4, "stem": None, "bidirectional": False},
        "train": {"epochs": 2, "ensemble": 1},
    }  # fmt: skip
    record = json.loads(
        (Path(run(recipe, out=tmp_path).document["run"]) / "run.json").read_text("utf-8")
    )
    assert set(record["exports"]) == set(EXPORTS)
    for one in record["exports"].values():
        assert one["verified"]


def test_the_page_has_every_network():
    text = (DOCS / "serving.md").read_text(encoding="utf-8")
    table = text.partition("<!-- litert -->")[2].strip().splitlines()[2:]
    rows = [line.strip("| ").split(" | ") for line in some(table) if line.startswith("|")]
    assert [row[0] for row in rows] == list(NETWORKS)
    assert all(float(row[1]) < 1e-5 for row in rows)


ALONE = re.compile(r"<!-- alone: (\S+) -->\n```python\n(.*?)```", re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("package", ["tensorflow", "ai-edge-litert"])
def test_a_script_of_the_page_runs_where_its_runtime_alone_is(package, tmp_path):
    page = (DOCS / "serving.md").read_text(encoding="utf-8")
    for kind, body in BLOCK.findall(page):
        if kind == "yaml":
            (tmp_path / "gunpoint.yaml").write_text(body, encoding="utf-8")
        elif kind == "sh" and "seqkit" in body:
            commanded(body, tmp_path)
    np.save(tmp_path / "x.npy", np.zeros((2, 150, 1), np.float32))
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv/bin/python"
    subprocess.run([python, "-m", "pip", "install", "-q", package, "numpy"], check=True)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    for code in some([code for name, code in ALONE.findall(page) if name == package]):
        code += "\nimport sys\nassert 'seqkit' not in sys.modules"
        done = subprocess.run(
            [python, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout
