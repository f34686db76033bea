from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seqkit.cells import CELLS
from seqkit.errors import RecipeError
from seqkit.recipe import positions
from seqkit.recipe.optimizers import OPTIMIZERS
from seqkit.recipe.positions import TextError, parse, plain
from seqkit.recipe.reading import read_recipe
from seqkit.recipe.schema import RECIPES
from seqkit.recipe.sections import EXPORT_FORMATS
from seqkit.recipe.types import listing
from seqkit.recipe.writing import flow
from seqkit.tasks import TASKS

CLASSIFY = "task: classification\ndata: {dataset: gunpoint}\n"
FORECAST = """\
task: forecasting
data: {dataset: airline}
forecast: {context_length: 24, horizon: 12}
"""
CELL_NAMES = ", ".join(CELLS)
METRIC_NAMES = listing(TASKS["classification"].metrics, "and")
EXPORT_NAMES = listing(EXPORT_FORMATS, "and")

# YAML, then the errors without the file's name: every kind of error, at its exact position.
ERRORS = {
    "unknown field, near a known one": (
        CLASSIFY + "model:\n  units: 8\n  dropuot: 0.2\n",
        ["5:3: unknown field 'model.dropuot'; did you mean 'dropout'?"],
    ),
    "unknown field near nothing": (
        CLASSIFY + "model: {xyz: 1}\n", ["3:9: unknown field 'model.xyz'"],
    ),
    "unknown section": (
        CLASSIFY + "modle: {}\n", ["3:1: unknown field 'modle'; did you mean 'model'?"],
    ),
    "unknown field at depth three": (
        "task: classification\ndata:\n  dataset: gunpoint\n  split: {validtion: 0.1}\n",
        ["4:11: unknown field 'data.split.validtion'; did you mean 'validation'?"],
    ),
    "field in the wrong section": (
        CLASSIFY + "model: {learning_rate: 1e-3}\n",
        ["3:9: unknown field 'model.learning_rate'; did you mean 'train.learning_rate'?"],
    ),
    "key that is no string": (CLASSIFY + "model: {1: 2}\n", ["3:9: unknown field 'model.1'"]),
    "setting of another task": (
        CLASSIFY + "model: {decoder: direct}\n",
        ["3:9: 'model.decoder' is for forecasting, not for classification. Remove it."],
    ),
    "section of another task": (
        CLASSIFY + "forecast: {horizon: 3}\n",
        ["3:1: 'forecast' is for forecasting, not for classification. Remove it."],
    ),
    "setting of two other tasks": (
        FORECAST + "model:\n  pooling: last\n",
        ["5:3: 'model.pooling' is for classification and regression, not for forecasting. "
         "Remove it."],
    ),
    "class weights of a regression": (
        "task: regression\ndata: {path: a.ts}\ntrain: {class_weight: balanced}\n",
        ["3:9: 'train.class_weight' is for classification and tagging, not for regression. "
         "Remove it."],
    ),
    "missing section": (
        "# first\ntask: classification\n",
        ["1:1: missing field 'data': where the data comes from and which columns mean what."],
    ),
    "missing task": (
        "data: {dataset: gunpoint}\n",
        ["1:1: missing field 'task': one of classification, regression, tagging or forecasting."],
    ),
    "unknown task": (
        "task: clasification\ndata: {dataset: gunpoint}\nmodel: {dropuot: 1}\n",
        ["1:7: task must be one of classification, regression, tagging or forecasting; got "
         "'clasification'. Did you mean 'classification'?",
         "3:9: unknown field 'model.dropuot'; did you mean 'dropout'?"],
    ),
    "wrong type": (
        CLASSIFY + "train:\n  epochs: many\n",
        ["4:11: train.epochs must be a positive integer or auto; got 'many'."],
    ),
    "quoted number": (
        CLASSIFY + 'train: {epochs: "100"}\n',
        ["3:17: train.epochs must be a positive integer or auto; got '100'. Remove the quotes."],
    ),
    "YAML 1.1's yes is a string": (
        CLASSIFY + "model: {bidirectional: yes}\n",
        ["3:24: model.bidirectional must be true or false or auto; got 'yes'."],
    ),
    "true is no number": (
        CLASSIFY + "model: {units: true}\n",
        [
            "3:16: model.units must be "
            "a positive integer, a list of them or of such lists or auto; got true."
        ],
    ),
    "a fraction is no count": (
        CLASSIFY + "train: {epochs: 2.5}\n",
        ["3:17: train.epochs must be a positive integer or auto; got 2.5."],
    ),
    "null where a value is needed": (
        CLASSIFY + "train:\n  epochs:\n",
        ["4:3: train.epochs must be a positive integer or auto; got null."],
    ),
    "a value for a section": (
        CLASSIFY + "model: lstm\n", ["3:8: model must be a map of settings; got 'lstm'."],
    ),
    "out of range": (
        CLASSIFY + "model: {dropout: 1.0}\n",
        ["3:18: model.dropout must be a number from 0 to below 1; got 1.0."],
    ),
    "infinity": (
        CLASSIFY + "train: {learning_rate: .inf}\n",
        ["3:24: train.learning_rate must be a number above 0 or auto; got .inf."],
    ),
    "an item of a list": (
        CLASSIFY + "model:\n  units: [64, -3]\n",
        [
            "4:15: model.units must be "
            "a positive integer, a list of them or of such lists or auto; got [64, -3]."
        ],
    ),
    "options of an optimizer": (
        CLASSIFY + "train:\n  optimizer: {name: sgd, momentum: 1.5, nestrov: true, 3: 4}\n",
        ["4:36: train.optimizer.momentum must be a number from 0 to below 1; got 1.5.",
         "4:41: 'nestrov' is no option of sgd; did you mean 'nesterov'?",
         "4:56: 3 is no option of sgd; it has weight_decay, momentum and nesterov."],
    ),
    "an optimizer that is none": (
        CLASSIFY + "train:\n  optimizer:\n    name: adm\n",
        ["5:11: train.optimizer.name must be one of adam, adamw, nadam, rmsprop, sgd or lion; got "
         "'adm'. Did you mean 'adam'?"],
    ),
    "an optimizer without a name": (
        CLASSIFY + "train: {optimizer: {rho: 0.9}}\n",
        ["3:20: train.optimizer must be a map with a name, one of adam, adamw, nadam, rmsprop, sgd "
         "or lion; got {rho: 0.9}. Write name: adam into it."],
    ),
    "an empty list": (
        CLASSIFY + "model: {units: []}\n",
        [
            "3:16: model.units must be "
            "a positive integer, a list of them or of such lists or auto; got []."
        ],
    ),
    "a name out of a table": (
        CLASSIFY + "model: {cell: lsmt}\n",
        [f"3:15: model.cell must be one of {CELL_NAMES} or np; got 'lsmt'. Did you mean 'lstm'?"],
    ),
    "a metric of the task": (
        CLASSIFY + "evaluate: {metrics: [accuracy, f1_marco]}\n",
        [f"3:32: evaluate.metrics must be null or a list of names out of {METRIC_NAMES}; got "
         "[accuracy, f1_marco]. Did you mean 'f1_macro'?"],
    ),
    "a name twice": (
        CLASSIFY + "export: [keras, keras]\n",
        [f"3:9: export must be a list of names out of {EXPORT_NAMES}; got [keras, keras]. Name "
         "every item once."],
    ),
    "an unknown version": (
        "version: 2\n" + CLASSIFY, ["1:10: version must be 1; got 2."],
    ),
    "unsorted quantiles": (
        "task: forecasting\ndata: {dataset: airline}\n"
        "forecast: {context_length: 24, horizon: 12, quantiles: [0.9, 0.1]}\n",
        ["3:56: forecast.quantiles must be a rising list of numbers between 0 and 1 or null; "
         "got [0.9, 0.1]. Sort them, each once."],
    ),
    "a class weight of zero": (
        CLASSIFY + "train: {class_weight: {a: 1, b: 0}}\n",
        ["3:33: train.class_weight must be balanced, null or a map from every label to a number "
         "above 0; got {a: 1, b: 0}."],
    ),
    "an embedded set of another task": (
        "task: classification\ndata: {dataset: airline}\n",
        ["2:17: data.dataset must be a data set for the task of this recipe; got 'airline'. "
         "`seqkit list datasets` names the task of each."],
    ),
    # rules between settings
    "patience without validation": (
        "task: classification\ndata: {dataset: gunpoint, split: {validation: 0}}\n"
        "train: {patience: 10}\n",
        ["3:19: train.patience must be 0 when data.split.validation is 0; got 10. Set "
         "train.patience to 0, or data.split.validation above 0."],
    ),
    "no data": (
        "task: classification\ndata:\n",
        ["1:1: data.path must be a file, or data.dataset the name of an embedded set; got null. "
         "Say which data to read."],
    ),
    "two data": (
        "task: classification\ndata: {dataset: gunpoint, path: a.ts}\n",
        ["2:33: data.path must be absent when data.dataset is given; got 'a.ts'. Keep one of "
         "the two."],
    ),
    "quantiles and distribution": (
        "task: forecasting\ndata: {dataset: airline}\nforecast: {context_length: 24, horizon: 12, "
        "quantiles: [0.5], distribution: normal}\n",
        ["3:56: forecast.quantiles must be absent when forecast.distribution is given; got [0.5]. "
         "Keep one of the two."],
    ),
    "segments of one step": (
        FORECAST + "model: {decoder: segment, patch: 1}\n",
        ["4:18: model.decoder must be direct or recursive when model.patch is 1; got 'segment'. "
         "Set model.patch to the length of a segment, for example 24."],
    ),
    "residual with one layer": (
        CLASSIFY + "model: {units: 64, residual: true}\n",
        ["3:30: model.residual must be false for a single layer; got true. Give model.units a "
         "list of two or more widths."],
    ),
    "seasonal departure without a season": (
        FORECAST + "model: {departure_from: seasonal_naive}\nevaluate: {season: 1}\n",
        ["4:25: model.departure_from must be none or last when evaluate.season is 1; got "
         "'seasonal_naive'. Set evaluate.season to the steps in a season."],
    ),
    "a table without a target": (
        "task: regression\ndata: {path: a.csv}\n",
        ["2:14: data.target must be a column's name when data.path is a table; got null. Name "
         "the column to learn."],
    ),
    # the text itself
    "duplicate key": (
        CLASSIFY + "model: {units: 8}\nmodel: {units: 9}\n",
        ["4:1: duplicate key 'model', first at line 3."],
    ),
    "not YAML": (
        "task: [classification\ndata: {}\n",
        ["2:5: not valid YAML: while parsing a flow sequence expected ',' or ']', but got ':'."],
    ),
    "a tab": (
        "task: classification\ndata:\n\tpath: x\n",
        ["3:1: not valid YAML: while scanning for the next token found character '\\t' that "
         "cannot start any token."],
    ),
    "a Python object": (
        "task: !!python/object/apply:os.system [ls]\n",
        ["1:7: tag '!!python/object/apply:os.system' is not allowed; recipes hold plain values."],
    ),
    "two documents": (
        CLASSIFY + "---\n" + CLASSIFY,
        ["3:1: not valid YAML: expected a single document in the stream but found another "
         "document."],
    ),
    "a merge key": (
        CLASSIFY + "model: {<<: {units: 3}}\n",
        ["3:9: merge keys (<<) are not YAML 1.2. Use extends."],
    ),
    "an alias in itself": (
        "task: &a [*a]\n", ["1:11: an alias inside the value it stands for."],
    ),
    "empty": (
        "# nothing\n",
        ["1:1: the recipe is empty. Begin with a task: classification, regression, tagging, "
         "forecasting."],
    ),
    "a list": ("- task\n", ["1:1: a recipe must be a map of settings; got [task]."]),
}  # fmt: skip


def errors_of(path: Path | str, *arguments: object) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        read_recipe(path, *arguments)  # type: ignore[arg-type]
    return list(caught.value.messages)


@pytest.mark.parametrize("kind", ERRORS)
def test_error_has_its_path_and_message(kind, tmp_path):
    text, expected = ERRORS[kind]
    file = tmp_path / "recipe.yaml"
    file.write_text(text)
    assert errors_of(file) == [f"{file}:{error}" for error in expected]


def test_all_errors_come_together_in_the_order_of_the_file(tmp_path):
    file = tmp_path / "recipe.yaml"
    file.write_text(
        "model:\n  dropout: 2\n  cell: lsmt\ntask: forecasting\n"
        "forecast: {horizon: 0}\ndata: {dataset: airline, splitt: 1}\nseed: -1\n"
    )
    positions = [error.removeprefix(f"{file}:").split(": ")[0] for error in errors_of(file)]
    assert positions == ["2:12", "3:9", "5:21", "6:26", "7:7"]


def test_missing_file_suggests_a_near_one(tmp_path):
    (tmp_path / "gunpoint.yaml").write_text(CLASSIFY)
    wanted = tmp_path / "gunpont.yaml"
    assert errors_of(wanted) == [f"{wanted}: no such file; did you mean 'gunpoint.yaml'?"]


def test_file_that_is_no_text(tmp_path):
    file = tmp_path / "recipe.yaml"
    file.write_bytes(b"task: \xff\xfe")
    assert errors_of(file) == [f"{file}:1:7: not a text in UTF-8 (byte #xff). Save it as UTF-8."]
    assert errors_of(tmp_path) == [f"{tmp_path}: cannot be read: Is a directory."]


def test_many_aliases_do_not_fill_the_memory(tmp_path):
    file = tmp_path / "recipe.yaml"
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    file.write_text("\n".join(lines))
    begin = time.monotonic()
    assert "more than 10000 values" in errors_of(file)[0]
    assert time.monotonic() - begin < 10


# the core schema of YAML 1.2 --------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-3", 0.001), ("1.", 1.0), (".5", 0.5), (".5e3", 500.0), ("-1", -1), ("010", 10),
     ("0o17", 15), ("0x1F", 31), ("~", None), ("", None), ("True", True), ("no", "no"),
     ("on", "on"), ("1:20", "1:20"), ("1_000", "1_000"), ("2026-01-01", "2026-01-01"),
     ("'1'", "1"), ('"true"', "true"), ("!!str 12", "12"), ("-.INF", float("-inf"))],
)  # fmt: skip
def test_scalars_follow_yaml_1_2(text, value):
    found = plain(parse(f"a: {text}", "x"))["a"]
    assert found == value
    assert type(found) is type(value)


def test_anchors_are_plain_values():
    tree = parse("a: &x [1, 2]\nb: *x\n", "x")
    assert plain(tree) == {"a": [1, 2], "b": [1, 2]}
    assert str(tree.value["b"].position) == "x:1:4"


# what a file can hold: no half of a surrogate pair; and a name: no zero byte
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
))  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_what_is_written_on_one_line_is_read_again(value):
    assert plain(parse(f"a: {flow(value)}\n", "x")) == {"a": value}


# extends, overrides, origins --------------------------------------------------------------


def test_extends_merges_maps_and_replaces_lists(tmp_path):
    (tmp_path / "base").mkdir()
    (tmp_path / "base/base.yaml").write_text(
        CLASSIFY + "model: {units: [8, 8], cell: gru}\ntrain: {epochs: 3}\n"
    )
    (tmp_path / "middle.yaml").write_text("extends: base/base.yaml\nmodel: {dropout: 0.1}\n")
    file = tmp_path / "recipe.yaml"
    file.write_text("extends: middle.yaml\nmodel: {units: [4]}\ntrain:\n")
    resolved = read_recipe(file, ["train.batch_size=7"], seed=5)
    model, train = resolved.recipe.model, resolved.recipe.train
    assert (model.units, model.cell, model.dropout) == ([4], "gru", 0.1)
    assert (train.epochs, train.batch_size, resolved.recipe.seed) == (3, 7, 5)
    assert resolved.origins == {
        "task": f"{tmp_path}/base/base.yaml:1",
        "data.dataset": f"{tmp_path}/base/base.yaml:2",
        "extends": f"{file}:1",
        "model.units": f"{file}:2",
        "model.cell": f"{tmp_path}/base/base.yaml:3",
        "model.dropout": f"{tmp_path}/middle.yaml:2",
        "train.epochs": f"{tmp_path}/base/base.yaml:4",
        "train.batch_size": "--set train.batch_size=7",
        "seed": "--seed",
    }


def test_cycle_of_extends_shows_the_chain(tmp_path):
    for name, base in (("a", "b"), ("b", "c"), ("c", "b")):
        (tmp_path / f"{name}.yaml").write_text(f"extends: {base}.yaml\n")
    a, b, c = (tmp_path / f"{name}.yaml" for name in "abc")
    assert errors_of(a) == [f"{c}:1:10: extends comes back to itself: {a} -> {b} -> {c} -> {b}."]


def test_extends_of_nothing(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("extends: b.yaml\n")
    assert errors_of(file) == [
        f"{file}:1:10: extends names {tmp_path}/b.yaml, which is not a file."
    ]
    file.write_text("extends: [b.yaml]\n")
    assert errors_of(file) == [f"{file}:1:10: extends must be a recipe's file name; got [b.yaml]."]


def test_error_of_a_base_is_reported_in_the_base(tmp_path):
    (tmp_path / "base.yaml").write_text(CLASSIFY + "model: {units: 0}\n")
    file = tmp_path / "a.yaml"
    file.write_text("extends: base.yaml\nmodel: {dropout: 1}\n")
    found = errors_of(file)
    assert [error.split(": ")[0] for error in found] == [
        f"{file}:2:18", f"{tmp_path}/base.yaml:3:16",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.dropuot=1", "--set model.dropuot=1: unknown field 'model.dropuot'; did you mean "
         "'dropout'?"),
        ("model.units=-1", "--set model.units=-1: model.units must be a positive integer, a "
         "list of them or of such lists or auto; got -1."),
        ("model.units", "--set: an override must be PATH=VALUE; got 'model.units'. Write a.b=1."),
        ("model..units=1", "--set: an override must be PATH=VALUE; got 'model..units=1'. Write "
         "a.b=1."),
        ("model.units=[1", "--set model.units=[1: not valid YAML: while parsing a flow sequence "
         "expected ',' or ']', but got '<stream end>'."),
        ("forecast.horizon=3", "--set forecast.horizon=3: 'forecast' is for forecasting, not for "
         "classification. Remove it."),
        ("model=lstm", "--set model=lstm: model must be a map of settings; got 'lstm'."),
    ],
)  # fmt: skip
def test_error_of_an_override_names_the_option(override, message, tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text(CLASSIFY)
    assert errors_of(file, [override]) == [message]


def test_override_corrects_an_error_and_may_be_a_map(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text(CLASSIFY + "train: {epochs: many, batch_size: 3}\n")
    recipe = read_recipe(file, ["train={epochs: 5}", "train.class_weight={a: 1, 2: 3}"]).recipe
    assert (recipe.train.epochs, recipe.train.batch_size) == (5, 3)
    assert recipe.train.class_weight == {"a": 1.0, 2: 3.0}


def test_seed_of_the_command_line_wins(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("seed: 1\n" + CLASSIFY)
    assert read_recipe(file, ["seed=2"], seed=3).recipe.seed == 3
    assert errors_of(file, (), -1) == [
        "--seed: seed must be an integer from 0 to 4294967295; got -1."
    ]


# paths ------------------------------------------------------------------------------------


def test_data_beside_the_recipe_comes_before_the_working_folder(tmp_path, monkeypatch):
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
        (folder / "both.ts").touch()
    (here / "only_here.ts").touch()
    file = there / "recipe.yaml"
    file.write_text("task: classification\ndata: {path: both.ts, test_path: only_here.ts}\n")
    (there / "child").mkdir()
    child = there / "child/recipe.yaml"
    child.write_text("extends: ../recipe.yaml\n")
    monkeypatch.chdir(here)
    for recipe in (file, child, Path("../there/recipe.yaml")):
        data = read_recipe(recipe).recipe.data
        assert data.path == str(there / "both.ts")
        assert data.test_path == str(here / "only_here.ts")
    data = read_recipe(file, ["data.path=both.ts", "data.test_path=nowhere/*.ts"]).recipe.data
    assert data.path == str(here / "both.ts")
    assert data.test_path == str(here / "nowhere/*.ts")


# what comes out ---------------------------------------------------------------------------


def test_defaults_that_depend_on_others_are_filled(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text(FORECAST + "evaluate: {backtest: {windows: 3, step: 6}}\n")
    recipe = read_recipe(file).recipe
    assert recipe.data.split.test == 12 + 2 * 6
    assert recipe.evaluate.metrics == list(TASKS["forecasting"].default_metrics)
    assert recipe.evaluate.baselines == list(TASKS["forecasting"].baselines)
    file.write_text(CLASSIFY)
    assert read_recipe(file).recipe.data.split.test == 0
    file.write_text("task: regression\ndata: {path: a.csv, target: y, series_id: engine}\n")
    recipe = read_recipe(file).recipe
    assert (recipe.data.split.test, recipe.data.layout) == (0.2, "long")


def test_every_setting_is_shown_with_its_origin(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text(CLASSIFY + "train:\n  class_weight: {a: 1}\n")
    resolved = read_recipe(file, ["model.units=[8]"])
    lines = resolved.annotated().splitlines()
    found = {line.split(":")[0].strip(): line.partition("  # ")[2] for line in lines}
    assert found["units"] == "--set model.units=[8]"
    assert found["class_weight"] == f"{file}:4"
    assert found["epochs"] == "default"
    assert plain(parse(resolved.annotated(), "x")) == plain(parse(resolved.dump(), "x"))
    assert resolved.text == file.read_text()
    assert resolved.as_dict()["model.units"] == {"value": [8], "origin": "--set model.units=[8]"}


def test_mapping_is_read_as_a_file_is():
    recipe = read_recipe({"task": "classification", "data": {"dataset": "gunpoint"}}).recipe
    assert recipe.data.dataset == "gunpoint"
    assert errors_of({"task": "classification", "data": {"dataset": "gunpint"}}) == [  # type: ignore[arg-type]
        "recipe: data.dataset must be null or one of airline, gunpoint or japanese_vowels; got "
        "'gunpint'. Did you mean 'gunpoint'?"
    ]


def columns(least: int = 0):
    names = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=6)
    return st.lists(names, unique=True, min_size=least, max_size=3)


@st.composite
def recipes(draw):
    """Valid recipes of any task with any settings given or left out."""
    task = draw(st.sampled_from(sorted(RECIPES)))
    row = TASKS[task]
    rate = st.floats(0, 1, exclude_max=True)
    units = st.integers(1, 512)

    def some(**fields):
        return {name: draw(values) for name, values in fields.items() if draw(st.booleans())}

    recipe = {"task": task, **some(seed=st.integers(0, 2**32 - 1), version=st.just(1))}
    recipe["data"] = {"path": draw(columns(1))[0] + ".npz"} | some(
        missing=st.sampled_from(["error", "interpolate", "indicator"])
    )
    recipe["model"] = some(
        cell=st.sampled_from(sorted(CELLS)),
        units=units | st.lists(units, min_size=1, max_size=3),
        dropout=rate,
        recurrent_dropout=rate,
        patch=st.integers(1, 8),
        dense=st.lists(units, max_size=2),
        scale=st.sampled_from(["none", "standard", "minmax", "robust"]),
    )
    recipe["train"] = some(
        epochs=units,
        batch_size=units,
        learning_rate=st.floats(1e-8, 10),
        clipnorm=st.none() | st.floats(1e-3, 100),
        steps_per_epoch=st.none() | units,
        schedule=st.sampled_from(["constant", "cosine", "plateau"]),
        patience=st.integers(0, 50),
        optimizer=st.sampled_from(sorted(OPTIMIZERS))
        | st.fixed_dictionaries(
            {"name": st.just("rmsprop")},
            optional={"rho": st.floats(0.1, 0.9), "centered": st.booleans()},
        ),
    )
    recipe["evaluate"] = some(metrics=st.just(list(row.default_metrics)))
    if task == "forecasting":
        recipe["data"] |= some(past_covariates=columns(), target=columns(1))
        roles = [*recipe["data"].get("past_covariates", []), *recipe["data"].get("target", [])]
        if len(set(roles)) < len(roles):
            recipe["data"].pop("target")
        recipe["forecast"] = {
            "context_length": draw(st.integers(8, 500)),
            "horizon": draw(units),
            **some(quantiles=st.sets(st.floats(0.01, 0.99), min_size=1, max_size=5).map(sorted)),
        }
        recipe["evaluate"] |= some(season=st.integers(1, 8))
        if recipe["train"].get("patience"):
            recipe["data"]["split"] = {"validation": draw(st.floats(0.01, 0.4))}
    else:
        recipe["data"] |= some(features=columns(1))
        recipe["data"]["split"] = some(validation=st.floats(0.01, 0.4), test=st.floats(0, 0.4))
    if task == "tagging":
        taken = {*recipe["data"].get("features", [])}
        recipe["data"]["target"] = draw(st.just("next") | columns(1).map(lambda names: names[0]))
        if recipe["data"]["target"] in taken:
            recipe["data"].pop("features")
        recipe["model"].pop("patch", None)
        recipe["model"] |= some(embedding=units, bidirectional=st.sampled_from([False, "auto"]))
        recipe["train"] |= some(piece_length=st.none() | units)
    elif task != "forecasting":
        recipe["model"] |= some(pooling=st.sampled_from(["last", "mean", "max", "mean_max"]))
    if task in ("classification", "tagging"):
        letters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
        label = st.text(letters, max_size=4) | st.integers(-5, 5)
        weights = st.dictionaries(label, st.floats(0.1, 9), min_size=1, max_size=3)
        recipe["train"] |= some(class_weight=st.just("balanced") | st.none() | weights)
    return recipe


@given(recipes())
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_resolved_recipe_reads_back_the_same(tmp_path_factory, recipe):
    file = tmp_path_factory.getbasetemp() / "resolved.yaml"
    first = read_recipe(recipe)
    file.write_text(first.dump(), encoding="utf-8")
    second = read_recipe(file)
    assert second.recipe == first.recipe
    assert second.dump() == first.dump()
    assert set(second.origins) == set(first.as_dict())


# the command must be quick ----------------------------------------------------------------


def test_reading_imports_nothing_heavy(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text(FORECAST)
    program = (
        "import sys; from seqkit.recipe.reading import read_recipe; "
        f"read_recipe({str(file)!r}); "
        "print(sorted({'tensorflow', 'keras', 'pandas', 'numpy', 'sklearn'} & set(sys.modules)))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60,
        check=True,
    )  # fmt: skip
    assert answer.stdout.strip() == "[]"


def test_positions_module_says_what_it_cannot_read():
    with pytest.raises(TextError) as caught:
        positions.parse("a: \x01", "x")
    assert "character #x0001 is not allowed" in caught.value.errors[0][1]
