"""Run folders and saved estimators that were tampered with: each kind is refused with its reason.

Digests are made anew, as somebody would who knows of them. tests/attack/test_tampered_runs.py goes
on where this ends, at random and for longer.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from attack.tampering import header_of, with_header
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save

import seqkit
from seqkit import RunError, SequenceClassifier
from seqkit.estimators.saving import NETWORK, NOTE
from seqkit.runs.experiment import run

READ = ("model.json", NETWORK, "weights.safetensors")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A run and a saved estimator of the same kind, with what they answer."""
    out = tmp_path_factory.mktemp("made")
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({
        "trial": np.repeat(np.arange(16), 8), "t": np.tile(np.arange(8), 16),
        "x": rng.normal(size=128), "label": np.repeat(["run", "rest"] * 8, 8),
    })  # fmt: skip
    rows.to_csv(out / "rows.csv", index=False)
    recipe = {
        "task": "classification", "seed": 1, "model": {"units": 3, "dense": [5], "stem": None},
        "data": {"path": str(out / "rows.csv"), "target": "label", "series_id": "trial",
                 "time": "t"},
        "train": {"epochs": 1}, "evaluate": {"baselines": ["majority"]},
    }  # fmt: skip
    made = Path(run(recipe, out=out).document["run"])
    estimator = seqkit.load(made)
    estimator.save(out / "saved")
    return {"run": made, "saved": out / "saved"}


@pytest.fixture(params=["run", "saved"])
def folder(request, folders, tmp_path):
    return shutil.copytree(folders[request.param], tmp_path / "artefact")


X = np.random.default_rng(2).normal(size=(4, 8, 1))


def note_of(folder):
    return folder / ("run.json" if (folder / "run.json").exists() else NOTE)


def sign(folder):
    note = json.loads(note_of(folder).read_text())
    note["files"] |= {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in note["files"]
        if (folder / name).is_file() and not (folder / name).is_symlink()
    }
    note_of(folder).write_text(json.dumps(note))


def edited(name, change):
    def edit(folder):
        value = json.loads((folder / name).read_text())
        value = change(value) or value
        (folder / name).write_text(json.dumps(value))

    return edit


def weights(change):
    def edit(folder):
        file = folder / "weights.safetensors"
        arrays = {name: array.copy() for name, array in load(file.read_bytes()).items()}
        change(arrays)
        file.write_bytes(save(arrays))

    return edit


def header(change):
    def edit(folder):
        file = folder / "weights.safetensors"
        head, data = header_of(file.read_bytes())
        change(head)
        file.write_bytes(with_header(head, data))

    return edit


def cut(name, share):
    def edit(folder):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: int(share * len(content))])

    return edit


def linked(name):
    def edit(folder):
        outside = shutil.move(folder / name, folder.parent / "outside")
        (folder / name).symlink_to(outside)

    return edit


def escaping(folder):
    """Files are read by the names that seqkit knows, never by one that the folder names."""
    note = json.loads(note_of(folder).read_text())
    note["files"]["../outside/model.json"] = note["files"].pop("model.json")
    note_of(folder).write_text(json.dumps(note))


def nodes(change):
    return edited(NETWORK, lambda value: change(value[0]["nodes"][-1], value[0]))


def noted(change):
    return lambda folder: edited(note_of(folder).name, change)(folder)


TAMPERS = {
    "another class": (edited("model.json", lambda v: v.update(task="os:system")), "task must be"),
    "a class by its path": (
        edited("model.json", lambda v: v["parameters"].update(cell="os.system")), "cell must be"),
    "a kind of layer that is none": (
        nodes(lambda node, _: node.update(kind="Lambda")), "network.json: damaged"),
    "a Lambda": (
        nodes(lambda node, _: node.update(kind="__lambda__", settings={"code": "4wA="})),
        "network.json: damaged"),
    "a pickle in the place of an array": (
        edited("model.json", lambda v: v["fitted"].update(classes_={"$pickle": "gASV"})),
        "damaged"),
    "another network": (
        edited(NETWORK, lambda v: [*v, *v]), "not the network that model.json describes"),
    "a huge declared layer": (
        edited("model.json", lambda v: v["parameters"].update(units=[10**7])), "damaged"),
    "a huge declared array": (
        header(lambda h: h["logits/kernel"].update(shape=[1 << 40, 1 << 40])), "damaged"),
    "a huge array in text": (
        edited("model.json", lambda v: v["fitted"].update(
            classes_={"$array": ["a"], "dtype": "U1000000000"})), "damaged"),
    "a file of terabytes": (
        lambda folder: os.truncate(folder / "weights.safetensors", 1 << 40), "is the limit"),
    "a header without end": (
        lambda folder: (folder / "weights.safetensors").write_bytes(b"\xff" * 64), "no header"),
    "cut weights": (cut("weights.safetensors", 0.9), "damaged"),
    "cut settings": (cut("model.json", 0.5), "damaged"),
    "cut network": (cut(NETWORK, 0.5), "damaged"),
    "NaN": (weights(lambda a: a["logits/kernel"].fill(np.nan)), "has NaN or infinities"),
    "an infinity": (weights(lambda a: a["logits/bias"].fill(np.inf)), "has NaN or infinities"),
    "a wrong shape": (
        weights(lambda a: a.update({"logits/kernel": a["logits/kernel"].T.copy()})), "of shape"),
    "another precision": (
        weights(lambda a: a.update({"logits/bias": a["logits/bias"].astype("f8")})), "float32"),
    "a weight too many": (
        weights(lambda a: a.update({"more/kernel": np.zeros(2, "f4")})), "of no layer"),
    "a weight too few": (weights(lambda a: a.pop("logits/bias")), "is missing"),
    "an extra field": (edited("model.json", lambda v: v.update(more=1)), "and no others"),
    "an extra setting": (
        edited("model.json", lambda v: v["parameters"].update(callbacks=[])), "damaged"),
    "an extra fact": (
        edited("model.json", lambda v: v["fitted"].update(predict="x")), "facts.FACTS"),
    "an extra field of a layer": (
        nodes(lambda node, _: node.update(more=1)), "network.json: damaged"),
    "an extra field of a network": (
        nodes(lambda _, network: network.update(more=1)), "network.json: damaged"),
    "classes that are too few": (
        edited("model.json", lambda v: v["fitted"].update(
            classes_={"$array": ["a"], "dtype": "str"})), "damaged"),
    "a name that leads elsewhere": (escaping, "changed after|was added after"),
    "linked settings": (linked("model.json"), "link to another file"),
    "linked weights": (linked("weights.safetensors"), "link to another file"),
    "a linked network": (linked(NETWORK), "link to another file"),
    "a later protocol": (noted(lambda v: v.update(format=99)), "Update seqkit"),
    "no protocol": (noted(lambda v: v.update(format="2")), "format must be"),
    "digests that are none": (noted(lambda v: v.update(files=[])), "damaged"),
}  # fmt: skip
UNSIGNED = {
    "a name that leads elsewhere", "a later protocol", "no protocol", "digests that are none",
    "a file of terabytes",
}  # fmt: skip


@pytest.mark.parametrize("name", TAMPERS)
def test_each_kind_is_refused_with_its_reason(name, folder):
    seqkit.load(folder)
    change, why = TAMPERS[name]
    change(folder)
    if name not in UNSIGNED:
        sign(folder)
    with pytest.raises(RunError, match=why) as caught:
        seqkit.load(folder)
    assert len(str(caught.value)) < 1000
    assert "\n" not in str(caught.value)


def test_a_run_whose_recipe_is_another(folders, tmp_path):
    """Settings of a recipe are no code, and a recipe of another task is not that of the model."""
    for text, why in (
        ("task: regression\ndata: {dataset: gunpoint}\n", "recipe"),
        ("task: !!python/object/apply:os.system [touch x]\n", "recipe.resolved.yaml"),
    ):
        copy = shutil.copytree(folders["run"], tmp_path / str(len(text)))
        (copy / "recipe.resolved.yaml").write_text(text)
        sign(copy)
        with pytest.raises(RunError, match=why):
            seqkit.load(copy)


@settings(max_examples=80, deadline=None, derandomize=True,
          suppress_health_check=list(HealthCheck))  # fmt: skip
@given(st.data())
def test_changed_bytes_are_refused_or_change_no_answer(folders, tmp_path_factory, data):
    """Flips and cuts of every file that is read, the one with the digests too."""
    which = data.draw(st.sampled_from(sorted(folders)))
    before = folders[which]
    copy = tmp_path_factory.getbasetemp() / "fuzzed"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(before, copy, ignore=shutil.ignore_patterns("plots", "*.html", "checkpoints"))
    also = ("recipe.resolved.yaml",) if which == "run" else ()
    file = data.draw(st.sampled_from([copy / n for n in (*READ, *also)] + [note_of(copy)]))
    content = bytearray(file.read_bytes())
    if data.draw(st.booleans()):
        places = st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=3)
        for at in data.draw(places):
            content[at] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    file.write_bytes(content)
    try:
        estimator = seqkit.load(copy)
    except RunError:
        return
    np.testing.assert_array_equal(estimator.predict_proba(X), seqkit.load(before).predict_proba(X))


def test_a_pickle_is_nothing_that_is_loaded(folder):
    """Whatever lies beside: only the files above are read."""
    (folder / "model.pkl").write_bytes(b"cos\nsystem\n(S'touch executed'\ntR.")
    assert isinstance(seqkit.load(folder), SequenceClassifier)
