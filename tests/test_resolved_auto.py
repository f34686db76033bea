"""What auto has become stands in the resolved recipe, which runs again to the same end."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from seqkit import read_recipe, run
from seqkit.convolutions import STEM


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(60, 70)).cumsum(1))
    frame.columns = [f"t{i}" for i in range(70)]
    path = tmp_path / "walks.csv"
    frame.assign(label=np.where(frame["t40"] > 0, "up", "down")).to_csv(path, index=False)
    return path


def test_networks_that_are_unlike_stand_in_it(table, tmp_path):
    recipe = {
        "task": "classification",
        "data": {"path": str(table), "target": "label"},
        "model": {"units": [3, 4], "stem": None},
        "train": {"epochs": 2, "ensemble": 3},
    }
    first = run(recipe, out=tmp_path / "runs", name="first")
    file = tmp_path / "runs" / first.document["run"].split("/")[-1] / "recipe.resolved.yaml"
    model = read_recipe(file).recipe.model
    assert (model.patch, model.overlap, model.pyramid) == ([1, 3, 1], [0, 3, 0], [3, 1, 3])
    again = run(str(file), out=tmp_path / "runs", name="again")
    for a, b in zip(first.estimator.weights_, again.estimator.weights_, strict=True):
        np.testing.assert_array_equal(a, b)


STRIDED = STEM | {"stride": [2, 1, 1]}


@pytest.mark.parametrize(
    ("validation", "stem", "found"),
    [("auto", None, (None, 3)), ("refit", None, (None, 3)), (0.3, "auto", (STRIDED, 1))],
)
def test_a_resolved_recipe_says_what_was_chosen_and_runs_again(
    table, tmp_path, validation, stem, found
):
    recipe = {
        "task": "classification",
        "seed": 3,
        "data": {"path": str(table), "target": "label",
                 "split": {"test": 0.25, "validation": validation}},
        "model": {"units": 4, "stem": stem},
        "train": {"epochs": 3, "ensemble": 2},
    }  # fmt: skip
    first = run(recipe, out=tmp_path / "runs", name="first")
    file = tmp_path / "runs" / first.document["run"].split("/")[-1] / "recipe.resolved.yaml"
    settled = read_recipe(file).recipe
    assert (settled.model.stem, settled.model.patch) == found
    assert settled.train.shift == 1
    assert (settled.model.moves, settled.model.pooling) == ([-1, 0, 1], "mean_max")
    assert (settled.model.deviations, settled.train.batch_size) == (False, 8)
    again = run(str(file), out=tmp_path / "runs", name="again")
    for a, b in zip(first.estimator.weights_, again.estimator.weights_, strict=True):
        np.testing.assert_array_equal(a, b)


def test_advice_is_that_of_the_resolved_recipe(table, tmp_path):
    recipe = {
        "task": "classification",
        "data": {"path": str(table), "target": "label"},
        "train": {"epochs": 1, "learning_rate": 1e-6},
    }
    first = run(recipe, out=tmp_path / "runs", name="first")
    file = tmp_path / "runs" / first.document["run"].split("/")[-1] / "recipe.resolved.yaml"
    run(str(file), out=tmp_path / "runs", name="again")
    one, other = (
        json.loads(path.read_text()) for path in sorted(tmp_path.glob("runs/*/metrics.json"))
    )
    assert "train.ensemble: 5" in str(one["verdict"])  # where auto had become 1
    assert one["verdict"] == other["verdict"]
