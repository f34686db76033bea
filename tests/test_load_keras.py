"""`.keras` files from anywhere: those of seqkit come back whole, all others are refused as data."""

from __future__ import annotations

import io
import json
import os
import resource
import shutil
import struct
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from attack import tampering
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import seqkit
from seqkit import RunError, SequenceClassifier, SequenceForecaster, SequenceRegressor, load_keras
from seqkit.estimators.keras_weights import CLASSES, check_keras_file
from seqkit.exports.keras_file import MEMBER
from seqkit.network.keras.model import keras_model
from seqkit.network.series import classifier

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 9, 2)).astype(np.float32)
Y = np.array(["a", "b", "c"] * 4)
QUICK = {"units": 3, "epochs": 1, "random_state": 0}
MODELS = {
    "ensemble of stems": lambda: SequenceClassifier(
        ensemble=2, stem={"filters": [4], "kernel_size": [3]}, **QUICK
    ).fit(X, Y),
    "quantiles": lambda: SequenceRegressor(quantiles=[0.1, 0.9], dropout=0.1, **QUICK).fit(
        list(X), X[:, 0, 0]
    ),
    "forecasts": lambda: SequenceForecaster(
        context_length=[8, 6], horizon=3, target_transform="log", **QUICK
    ).fit(np.exp(RNG.normal(size=60).cumsum() / 9)),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A file of each model, exported as users do it."""
    folder = tmp_path_factory.mktemp("keras")
    made = {}
    for name, fit in MODELS.items():
        made[name] = folder / f"{name}.keras"
        seqkit.export(fit(), made[name], "keras", verify=False)
    return made


@pytest.fixture
def file(files, tmp_path):
    return shutil.copy(files["quantiles"], tmp_path / "model.keras")


def answer(model):
    rng = np.random.default_rng(1)
    shaped = [tensor.shape for tensor in model.inputs]
    given = [
        np.full(2, 5, np.int32) if len(shape) == 1 else
        np.exp(rng.normal(size=[2, *(8 if n is None else n for n in shape[1:])]))
        for shape in shaped
    ]  # fmt: skip
    names = [tensor.name for tensor in model.inputs]
    asked = dict(zip(names, given, strict=True)) if isinstance(model.input, dict) else given[0]
    return np.asarray(model(asked))


@pytest.mark.parametrize("name", MODELS)
def test_what_seqkit_exports_comes_back(name, files):
    expected = keras.saving.load_model(files[name], compile=False)
    np.testing.assert_array_equal(answer(load_keras(files[name])), answer(expected))


def test_files_of_format_1_come_back():
    """They say nothing of themselves, and name modules that are elsewhere now."""
    stored = Path(__file__).parent / "runs" / "0.1.0" / "regression" / "run"
    model = load_keras(stored / "model.keras")
    estimator = seqkit.load_run(stored)
    for a, b in zip(model.weights, estimator.model_.weights, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_every_class_of_ours_is_one_that_keras_knows():
    known = {n.split(">")[1] for n in keras.saving.get_custom_objects() if n.startswith("seqkit>")}
    assert CLASSES["seqkit"] <= known
    for name in CLASSES["keras"]:
        assert not {"Lambda", "TFSMLayer", "TextVectorization", "StringLookup"} & {name}


def parts_of(file):
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewrite(file, change):
    """Change the configuration in a file."""
    parts = parts_of(file)
    config = json.loads(parts["config.json"])
    change(config)
    tampering.pack(Path(file).parent, {**parts, "config.json": json.dumps(config).encode()})


def node(config, kind):
    return next(one for one in tampering.classes(config) if one["class_name"] == kind)


LAMBDA = {"module": "keras.layers", "class_name": "Lambda", "registered_name": None,
          "config": {"name": "l", "function": {"class_name": "__lambda__",
                     "config": {"code": "4wA="}}}}  # fmt: skip
FUNCTION = {"module": "builtins", "class_name": "function", "config": "print",
            "registered_name": "function"}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda c: node(c, "Dense").update(LAMBDA), "'Lambda'.*no class of seqkit's"),
        (lambda c: node(c, "Dense").update(class_name="Conv1D"), "'Conv1D'.*no class of seqkit's"),
        (lambda c: node(c, "Dense").update(module="keras.src.utils.file_utils"), "no class of"),
        (lambda c: node(c, "Dense").update(registered_name="Mine>Dense"), "'Mine>Dense'"),
        (lambda c: node(c, "Standardize").update(registered_name=None), "no class of seqkit's"),
        (lambda c: node(c, "Standardize").update(registered_name="Evil>Standardize"), "'Evil"),
        (lambda c: node(c, "Standardize").update(module="os"), "'os'.*no class of seqkit's"),
        (lambda c: c.update(class_name="Sequential", config={"layers": []}), "'Sequential'"),
        (lambda c: node(c, "Dense")["config"].update(activation=FUNCTION), "names the activation"),
        (lambda c: node(c, "Dense")["config"].update(activation="mine"), "activation 'mine'"),
        (lambda c: node(c, "Dense")["config"].update(kernel_initializer=FUNCTION), "'function'"),
        (lambda c: node(c, "Dense")["config"].update(kernel_regularizer="l2"), "regularizer"),
        (lambda c: node(c, "Dense")["config"].update(bias_constraint=LAMBDA), "bias_constraint"),
        (lambda c: node(c, "Dense")["config"].update(quantization_config={"mode": "int8"}),
         "quantization_config"),
        (lambda c: node(c, "Dense").update(more=1), "the field 'more'"),
        (lambda c: node(c, "Dense")["config"].update(more=1), "damaged"),
        (lambda c: c["config"].update(more=1), "the field 'more'"),
        (lambda c: node(c, "Dense")["config"].update(units=1 << 40), "units: .* is the limit"),
        (lambda c: node(c, "Dense")["config"].update(units=-3), "damaged"),
        (lambda c: node(c, "Dense")["config"].update(units=4), "damaged"),
        (lambda c: node(c, "InputLayer")["config"].update(batch_shape=[None, 10**9, 2]), "limit"),
        (lambda c: c["config"]["layers"].pop(), "damaged"),
        (lambda c: c.clear(), "no functional model"),
    ],
)  # fmt: skip
def test_configurations_of_other_things_are_refused(change, why, file):
    rewrite(file, change)
    with pytest.raises(RunError, match=f"model.keras: damaged: .*{why}|{why}"):
        load_keras(file)


def changed_weights(file, change):
    parts = parts_of(file)
    held = io.BytesIO(parts["model.weights.h5"])
    with h5py.File(held, "r+") as opened:
        change(opened, next(p for p in tampering_arrays(opened) if opened[p].ndim == 2))
    tampering.pack(Path(file).parent, {**parts, "model.weights.h5": held.getvalue()})


def tampering_arrays(opened):
    found = []
    opened.visititems(lambda n, o: found.append(n) if isinstance(o, h5py.Dataset) else None)
    return found


def put(opened, path, value):
    del opened[path]
    opened[path] = value


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda f, p: f[p].write_direct(np.full(f[p].shape, np.nan, "f4")), "NaN or infinities"),
        (lambda f, p: put(f, p, f[p][()].T.copy()), "damaged"),
        (lambda f, p: put(f, p, f[p][()][:, :-1]), "numbers in"),
        (lambda f, p: put(f, p, np.zeros((500, 500), "f4")), "numbers in"),
        (lambda f, p: f.create_dataset("layers/more", data=np.zeros(3, "f4")), "numbers in"),
        (lambda f, p: put(f, p, f[p][()].astype("S")), "is of"),
        (lambda f, p: f.__delitem__(p), "numbers in"),
        (lambda f, p: f.move("layers", "others"), "damaged"),
        (lambda f, p: f.move(f[p].parent.name, f"{f[p].parent.name}_moved"), "damaged"),
        (lambda f, p: put(f, p, h5py.ExternalLink("/etc/passwd", "/x")), "is a link"),
        (lambda f, p: put(f, p, h5py.SoftLink("/layers")), "is a link"),
        (lambda f, p: f.create_dataset("layers/huge", (1 << 20, 1 << 20), "f4"), "larger than"),
    ],
)
def test_weights_that_do_not_fit_are_refused(change, why, file):
    changed_weights(file, change)
    with pytest.raises(RunError, match=why):
        load_keras(file)


def test_a_network_larger_than_its_file_takes_no_memory(file):
    """Its configuration is in order, and would take gigabytes."""
    made = {}

    def build():
        with keras.StatelessScope(initialize_variables=False):
            network = classifier(n_timesteps=None, n_features=2, n_classes=3, units=30_000,
                                 bidirectional=False, stem=None)  # fmt: skip
            made["config"] = keras_model(network).to_json()

    thread = threading.Thread(target=build)
    thread.start()
    thread.join()
    tampering.pack(Path(file).parent, {**parts_of(file), "config.json": made["config"].encode()})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(RunError, match=r"numbers in \d+ arrays; its network has 27\d{8} in"):
        load_keras(file)
    keras.layers.Dense(2)(np.zeros((1, 2)))  # when Keras fills what it has noted to be filled
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000


def test_archives_of_other_shapes_are_refused(file, tmp_path):
    parts = parts_of(file)
    whole = Path(file).read_bytes()
    for name in ("../../evil", "/tmp/evil", "assets/x", "a\\..\\b"):
        tampering.pack(tmp_path, {**parts, name: b"x"})
        with pytest.raises(RunError, match="and no other members"):
            load_keras(file)
    info = zipfile.ZipInfo("assets")
    info.external_attr = 0o120777 << 16
    tampering.pack(tmp_path, [*parts.items(), (info, b"/etc/passwd")])
    with pytest.raises(RunError, match="and no other members"):
        load_keras(file)
    tampering.pack(tmp_path, parts, zipfile.ZIP_DEFLATED)
    with pytest.raises(RunError, match="is packed, encrypted or too large"):
        load_keras(file)
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        Path(file).write_bytes(whole[:length])
        with pytest.raises(RunError, match="no archive of Keras"):
            load_keras(file)
    at = whole.rindex(b"PK\x01\x02") + 24
    Path(file).write_bytes(whole[:at] + struct.pack("<I", 1 << 31) + whole[at + 4 :])
    with pytest.raises(RunError):
        load_keras(file)
    with pytest.raises(RunError, match=r"missing\.keras: damaged: it cannot be read"):
        load_keras(tmp_path / "missing.keras")


def test_only_plain_files_are_opened(files, tmp_path):
    link = tmp_path / "link.keras"
    link.symlink_to(files["quantiles"])
    with pytest.raises(RunError, match="it is a link to another file"):
        load_keras(link)
    os.mkfifo(tmp_path / "pipe.keras")
    with pytest.raises(RunError, match="no plain file"):
        load_keras(tmp_path / "pipe.keras")
    with (tmp_path / "long.keras").open("wb") as long:
        long.truncate(1 << 40)
    with pytest.raises(RunError, match="is the limit"):
        load_keras(tmp_path / "long.keras")


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (b'{"format": 99}', "Update seqkit"),
        (b'{"format": true}', "positive integer"),
        (b"[1]", "positive integer"),
        (b"[" * 1000, "nested"),
        (b'{"format": 1, "format": 2}', "twice"),
    ],
)
def test_the_protocol_number_is_looked_at(document, why, file, tmp_path):
    tampering.pack(tmp_path, {**parts_of(file), MEMBER: document})
    with pytest.raises(RunError, match=why):
        load_keras(file)


def test_nothing_runs(files, file, tmp_path):
    """In a process of its own: a module that a class names is not even imported."""
    trace = tmp_path / "executed"
    (tmp_path / f"{tampering.CANARY}.py").write_text(f"open({str(trace)!r}, 'w')\n")
    for evil in tampering.EVIL:
        shutil.copy(files["quantiles"], file)
        rewrite(file, lambda c, evil=evil: node(c, "Dense").update(evil))
        with pytest.raises(RunError, match="no class of seqkit's"):
            load_keras(file)
        shutil.copy(file, tmp_path / "last.keras")
    program = (
        "import seqkit, sys\n"
        "try:\n    seqkit.load_keras('last.keras')\n"
        "except seqkit.RunError:\n    print(sorted({'tensorflow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True,
                          text=True)  # fmt: skip
    assert done.stdout.strip() == "[]", done.stderr
    assert not trace.exists()


@settings(max_examples=40, deadline=None, derandomize=True,
          suppress_health_check=list(HealthCheck))  # fmt: skip
@given(st.data())
def test_changed_bytes_are_refused_or_change_nothing(files, tmp_path_factory, data):
    whole = bytearray(files["quantiles"].read_bytes())
    if data.draw(st.booleans()):
        where = st.integers(0, len(whole) - 1) | st.integers(len(whole) - 700, len(whole) - 1)
        for at in data.draw(st.lists(where, min_size=1, max_size=4)):
            whole[at] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del whole[data.draw(st.integers(0, len(whole) - 1)) :]
    try:
        model = None
        parts = check_keras_file(bytes(whole), {MEMBER: 1 << 20})
        model = parts != parts_of(files["quantiles"])
    except ValueError:
        return
    assert model is False  # what is given to Keras is what was there
