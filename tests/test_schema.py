from __future__ import annotations

import doctest
import importlib.util
import inspect
import json
import re

import numpy as np
import pytest
from conftest import ROOT, some

from seqkit.cells import ALIASES, CELLS
from seqkit.recipe.data_sections import CALENDAR
from seqkit.recipe.optimizers import OPTIMIZERS
from seqkit.recipe.reference import update
from seqkit.recipe.rules import RULES
from seqkit.recipe.schema import (
    PARAMETERS,
    RECIPES,
    defaults,
    json_schema,
    leaves,
    recipe_errors,
    validate_parameters,
)
from seqkit.recipe.sections import EXPORT_FORMATS
from seqkit.recipe.types import Count, Switch, allowed_names, phrase
from seqkit.tasks import TASKS

WIDTHS = "a positive integer, a list of them or of such lists or auto"


def complain(error: type[Exception], task: str, **values: object) -> list[str]:
    with pytest.raises(error) as caught:
        validate_parameters("Owner", task, values)
    assert type(caught.value) is error
    return str(caught.value).splitlines()


# parameters ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"units": -3}, ValueError, f"units must be {WIDTHS}; got -3."),
        ({"units": [8, 0]}, ValueError, f"units must be {WIDTHS}; got "
         "[8, 0]."),
        ({"units": ()}, ValueError, f"units must be {WIDTHS}; got ()."),
        ({"units": "8"}, ValueError, f"units must be {WIDTHS}; got '8'. "
         "Remove the quotes."),
        ({"units": 8.0}, TypeError, f"units must be {WIDTHS}; got 8.0."),
        ({"units": True}, TypeError, f"units must be {WIDTHS}; got "
         "True."),
        ({"dropout": 1.0}, ValueError, "dropout must be a number from 0 to below 1; got 1.0."),
        ({"dropout": float("nan")}, ValueError, "dropout must be a number from 0 to below 1; got "
         "nan."),
        ({"dropout": None}, TypeError, "dropout must be a number from 0 to below 1; got None."),
        ({"clipnorm": 0}, ValueError, "clipnorm must be a number above 0 or None; got 0."),
        ({"bidirectional": 1}, TypeError, "bidirectional must be true or false or auto; got 1."),
        ({"pooling": "men"}, ValueError, "pooling must be one of last, mean, max, mean_max, "
         "attention or auto; got 'men'. Did you mean 'mean'?"),
        ({"pooling": 3}, TypeError, "pooling must be one of last, mean, max, mean_max, "
         "attention or auto; got 3."),
        ({"class_weight": {"a": 0}}, ValueError, "class_weight must be balanced, None or a map "
         "from every label to a number above 0; got {'a': 0}."),
        ({"patience": 5, "validation": 0.0}, ValueError, "patience must be 0 when validation is "
         "0; got 5. Set patience to 0, or validation above 0."),
        ({"n_classes": 1}, ValueError, "n_classes must be an integer of 2 or more; got 1."),
        ({"unist": 3}, TypeError, "unknown parameter 'unist'; did you mean 'units'?"),
        ({"horizon": 3}, TypeError, "parameter 'horizon' is for forecasting, not for "
         "classification."),
    ],
)  # fmt: skip
def test_wrong_parameter_is_explained(values, error, message):
    assert complain(error, "classification", **values) == [f"Owner: {message}"]


def test_all_wrong_parameters_are_in_one_message():
    lines = complain(ValueError, "regression", units=-1, dropout="a", loss="mea", epochs=3)
    assert lines == [
        f"Owner: units must be {WIDTHS}; got -1.",
        "Owner: dropout must be a number from 0 to below 1; got 'a'.",
        "Owner: loss must be one of auto, mse, mae, huber or pinball; got 'mea'. Did you "
        "mean 'mse'?",
    ]


def test_what_scikit_learn_hands_over_is_accepted():
    validate_parameters(
        "Owner",
        "classification",
        {
            "units": (np.int64(8), np.int32(4)),
            "dropout": np.float64(0.1),
            "recurrent_dropout": np.float32(0.1),
            "bidirectional": np.True_,
            "cell": np.str_("gru"),
            "dense": np.array([3, 4]),
            "class_weight": {np.int64(0): 1, np.str_("b"): np.float32(2)},
            "learning_rate": 1,
            "random_state": np.random.RandomState(0),
            "verbose": "whatever",
        },
    )


@pytest.mark.parametrize("task", sorted(RECIPES))
def test_defaults_are_valid(task):
    validate_parameters("Owner", task, defaults(task))
    assert set(defaults(task)) == set(PARAMETERS[task])


# one vocabulary -------------------------------------------------------------------------------

SIGNATURES = [
    ("seqkit.estimators.classifier:SequenceClassifier", "classification", True),
    ("seqkit.estimators.regressor:SequenceRegressor", "regression", True),
    ("seqkit.estimators.tagger:SequenceTagger", "tagging", True),
    ("seqkit.estimators.forecaster:SequenceForecaster", "forecasting", True),
    ("seqkit.builders:build_classifier", "classification", False),
    ("seqkit.builders:build_regressor", "regression", False),
    ("seqkit.builders:build_tagger", "tagging", False),
    ("seqkit.builders:build_forecaster", "forecasting", False),
]
# Arguments that no recipe has: shapes for builders, and what belongs to a fitted object.
OUTSIDE = {
    "n_timesteps", "max_timesteps", "n_features", "n_classes", "n_targets", "variable_length",
    "multilabel", "random_state", "verbose", "warm_start", "n_past", "n_future", "n_static",
    "static_categories", "target_inputs", "n_tokens",
}  # fmt: skip


def signature_of(place: str) -> inspect.Signature:
    module, name = place.split(":")
    return inspect.signature(getattr(importlib.import_module(module), name))


@pytest.mark.parametrize(("place", "task", "whole"), SIGNATURES)
def test_signature_has_the_names_and_defaults_of_the_recipe(place, task, whole):
    arguments = signature_of(place).parameters
    expected = defaults(task)
    known = set(arguments) - OUTSIDE
    assert known == set(PARAMETERS[task]) if whole else known <= set(PARAMETERS[task])
    # what the data decide has no default where there are none
    known -= set() if whole else {"context_length", "horizon", "season"}
    for name, argument in some((n, arguments[n]) for n in known & set(expected)):
        default = argument.default
        plain = list(default) if isinstance(default, tuple) else default
        assert plain == expected[name], f"{place}: {name}"
        assert type(plain) is type(expected[name]), f"{place}: {name}"


def table(place: str):
    module, name = place.split(":")
    found = getattr(importlib.import_module(module), name)
    assert found
    return found


def allowed(task: str, path: str) -> set[str]:
    field = leaves(RECIPES[task])[path]
    names = allowed_names(field.annotation)
    for note in field.metadata:
        names += getattr(note, "names", ())
    return set(some(names))


@pytest.mark.parametrize(
    ("place", "task", "path"),
    [
        ("seqkit.data.missing:MISSING", "classification", "data.missing"),
        ("seqkit.data.missing:MISSING", "forecasting", "data.missing"),
        ("seqkit.data.scaling:SCALERS", "classification", "model.scale"),
        ("seqkit.data.readers:LAYOUTS", "classification", "data.layout"),
        ("seqkit.data.splits:SPLITS", "classification", "data.split.method"),
        ("seqkit.data.embedded:DATASETS", "regression", "data.dataset"),
        ("seqkit.network.layers.pooling:POOLINGS", "regression", "model.pooling"),
        ("seqkit.network.series:SCALES", "regression", "model.scale"),
        ("seqkit.training:SCHEDULES", "forecasting", "train.schedule"),
        ("seqkit.network.decoders:DECODERS", "forecasting", "model.decoder"),
        ("seqkit.network.layers.windows:NORMALIZE", "forecasting", "model.normalize"),
        ("seqkit.network.layers.windows:DEPARTURES", "forecasting", "model.departure_from"),
        ("seqkit.network.layers.windows:CHANNELS", "forecasting", "model.channels"),
    ],
)
def test_allowed_names_are_the_rows_of_the_table(place, task, path):
    no_rows = {"none", "auto"}
    assert allowed(task, path) | no_rows == set(table(place)) | no_rows


def test_distributions_are_the_heads_of_forecasters():
    heads = set(table("seqkit.network.heads:HEADS")) - {"point", "quantiles"}
    assert allowed("forecasting", "forecast.distribution") == heads


def test_decoder_refuses_what_its_row_forbids():
    other = {"dense": [8], "bidirectional": True, "residual": True}
    tried = set()
    for row in table("seqkit.network.decoders:DECODERS").values():
        for name in row.forbids:
            model = {"decoder": row.name, "patch": 6, "units": [8, 8], name: other[name]}
            errors = recipe_errors(
                {"task": "forecasting", **MINIMAL["forecasting"], "model": model}
            )
            assert [error.dotted for error in errors] == [f"model.{name}"]
            tried.add(name)
    assert tried == set(other)


def test_cells_and_exports_are_those_there_are():
    assert allowed("regression", "model.cell") == {*CELLS, *ALIASES}
    assert set(EXPORT_FORMATS) == set(table("seqkit.exports:EXPORTS"))


def test_calendar_is_that_of_the_time_stamps():
    assert set(CALENDAR) == set(table("seqkit.data.stamps:CALENDAR"))


@pytest.mark.parametrize("task", sorted(RECIPES))
def test_scores_and_baselines_are_rows_of_their_tables(task):
    metrics = table("seqkit.evaluation.metrics:METRICS")
    assert allowed(task, "evaluate.metrics") <= {
        name for name, row in metrics.items() if task in row.tasks
    }
    baselines = table("seqkit.evaluation.baselines:BASELINES")
    assert allowed(task, "evaluate.baselines") == {
        name for name, row in baselines.items() if task in row.tasks
    }


# the grammar ----------------------------------------------------------------------------------


def test_every_task_has_a_grammar():
    assert set(RECIPES) == set(TASKS)


@pytest.mark.parametrize("task", sorted(RECIPES))
def test_every_field_says_what_it_means(task):
    for path, field in some(leaves(RECIPES[task]).items()):
        assert field.description, path
        assert field.description.endswith("."), path


@pytest.mark.parametrize("task", sorted(RECIPES))
def test_names_of_parameters_are_unique(task):
    paths = [p for p in leaves(RECIPES[task]) if p.split(".")[0] in ("model", "train", "forecast")]
    assert len({p.rpartition(".")[2] for p in paths}) == len(paths)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: " ".join(rule.of))
def test_rule_is_about_settings_that_exist(rule):
    homes = [t for t in RECIPES if set(rule.of) <= set(leaves(RECIPES[t]))]
    assert homes
    names = {path.rpartition(".")[2]: path for path in rule.of}
    assert rule.expected.format_map(names)
    assert rule.hint.format_map({**names, "figure": "9"})


def test_rules_hold_for_the_defaults():
    assert set(MINIMAL) == set(RECIPES)
    for task, minimal in MINIMAL.items():
        assert recipe_errors({"task": task, **minimal}) == []


MINIMAL = {
    "classification": {"data": {"dataset": "gunpoint"}},
    "regression": {"data": {"path": "a.npz"}},
    "tagging": {"data": {"path": "a.csv", "target": "tag"}},
    "forecasting": {
        "data": {"dataset": "airline"},
        "forecast": {"context_length": 24, "horizon": 12},
    },
}


@pytest.mark.parametrize(
    ("task", "change", "path"),
    [
        ("classification", {"data": {"path": "a.npz", "dataset": "gunpoint"}}, "data.path"),
        ("regression", {"data": {}}, "data.path"),
        ("classification", {"data": {"dataset": "gunpoint", "test_path": "b"}}, "data.test_path"),
        ("regression", {"data": {"path": "a.ts", "test_path": "b.ts", "split": {"test": 0.1}}},
         "data.split.test"),
        ("regression", {"data": {"path": "a.ts", "split": {"validation": 0.5, "test": 0.5}}},
         "data.split.validation"),
        ("regression", {"data": {"path": "a.ts", "split": {"method": "group"}}},
         "data.split.method"),
        ("regression", {"data": {"path": "a.npz", "group": "g"}}, "data.group"),
        ("regression", {"data": {"path": "a.ts", "split": {"method": "time"}}},
         "data.split.method"),
        ("regression", {"data": {"path": "a.ts", "layout": "long"}}, "data.layout"),
        ("regression", {"data": {"path": "a.csv", "layout": "long", "target": "y"}},
         "data.series_id"),
        ("regression", {"data": {"path": "a.csv", "target": "y", "features": ["x", "y"]}},
         "data.target"),
        ("forecasting", {"data": {"path": "a.csv", "target": "y", "past_covariates": ["y"]}},
         "data.target"),
        ("tagging", {"data": {"path": "a.csv"}}, "data.target"),
        ("tagging", {"data": {"path": "a.csv", "target": "next"}, "model": {"bidirectional": True}},
         "model.bidirectional"),
        ("tagging", {"model": {"units": [4096] * 32}}, "model.units"),
        ("regression", {"train": {"optimizer": {"name": "sgd", "nesterov": True}}},
         "train.optimizer"),
        ("regression", {"model": {"cell": "simple_rnn", "bias_initializer": "chrono"}},
         "model.bias_initializer"),
        ("regression", {"model": {"residual": True, "units": [8, 4]}}, "model.residual"),
        ("forecasting", {"model": {"patch": 25}}, "model.patch"),
        ("forecasting", {"model": {"bidirectional": True, "decoder": "segment", "patch": 6}},
         "model.bidirectional"),
        ("forecasting", {"model": {"departure_from": "seasonal_naive"},
                         "evaluate": {"season": 25}}, "forecast.context_length"),
        ("forecasting", {"train": {"loss": "mae"}, "forecast": {"context_length": 9, "horizon": 1,
                                                               "quantiles": [0.5]}}, "train.loss"),
        ("forecasting", {"train": {"loss": "pinball"}}, "train.loss"),
        ("forecasting", {"train": {"loss": "nll"}}, "train.loss"),
        ("forecasting", {"forecast": {"context_length": [9, 8, 7], "horizon": 1},
                         "train": {"ensemble": 2}}, "forecast.context_length"),
        ("forecasting", {"model": {"dense": [8], "decoder": "recursive"}}, "model.dense"),
        ("forecasting", {"forecast": {"context_length": 9, "horizon": 1,
                                      "distribution": "poisson"},
                         "model": {"departure_from": "last"}}, "forecast.distribution"),
        ("forecasting", {"forecast": {"context_length": 9, "horizon": 1,
                                      "distribution": "poisson"},
                         "model": {"decoder": "recursive"}}, "forecast.distribution"),
        ("forecasting", {"data": {"dataset": "airline", "split": {"validation": 11}}},
         "data.split.validation"),
        ("forecasting", {"data": {"dataset": "airline", "split": {"test": 11}}},
         "data.split.test"),
        ("classification", {"model": {"units": [4096] * 32}}, "model.units"),
        ("classification", {"model": {"units": 4096, "patch": 10**6}}, "model.units"),
        ("forecasting", {"forecast": {"context_length": 9, "horizon": 10**6},
                         "model": {"units": 4096}}, "forecast.horizon"),
        ("forecasting", {"forecast": {"context_length": 9, "horizon": 2001},
                         "model": {"decoder": "recursive", "patch": 2}}, "forecast.horizon"),
        ("forecasting", {"forecast": {"context_length": 10**6, "horizon": 1},
                         "model": {"units": [1024] * 32, "patch": 1}}, "forecast.context_length"),
    ],
)  # fmt: skip
def test_rule_between_settings(task, change, path):
    recipe = {"task": task, **MINIMAL[task], **change}
    found = [error.dotted for error in recipe_errors(recipe) if error.kind == "rule"]
    assert found == [path]


def test_words_are_read_from_the_types():
    assert phrase(Count | None) == "a positive integer or null"
    assert phrase(Switch, "None") == "true or false"
    assert phrase(dict) == "a map of settings"


# the JSON schema ------------------------------------------------------------------------------


def test_stored_json_schema_is_up_to_date():
    stored = json.loads((ROOT / "recipes/recipe.schema.json").read_text(encoding="utf-8"))
    assert stored == json_schema(), "write it again: seqkit schema -o recipes/recipe.schema.json"


def test_json_schema_has_every_field_and_its_meaning():
    schema = json_schema()
    for task, kind in RECIPES.items():
        part = schema["$defs"][kind.__name__]
        assert part["additionalProperties"] is False
        for path, field in some(leaves(kind).items()):
            here = part
            for key in path.split("."):
                here = here["properties"][key]
                if "$ref" in here:
                    here = schema["$defs"][here["$ref"].rpartition("/")[2]]
            assert here["description"] == field.description, (task, path)


def test_json_schema_knows_the_options_of_an_optimizer():
    part = json_schema()["$defs"]["RegressionTrain"]["properties"]["optimizer"]
    names, options = part["anyOf"]
    assert set(names["enum"]) == set(OPTIMIZERS) == set(options["discriminator"]["mapping"])
    sgd = json_schema()["$defs"]["SGD"]
    assert sgd["required"] == ["name"]
    assert sgd["additionalProperties"] is False
    assert sgd["properties"]["momentum"]["exclusiveMaximum"] == 1


def test_guide_lists_the_fields_there_are():
    guide = (ROOT / "docs/recipe.md").read_text(encoding="utf-8")
    assert guide == update(guide), "write it: python -m seqkit.recipe.reference docs/recipe.md"
    for kind in RECIPES.values():
        for path in some(leaves(kind)):
            name = path.partition(".")[2] or path
            assert name == "task" or f"| `{name}` |" in guide, path


@pytest.mark.parametrize("builder", [False, True])
@pytest.mark.parametrize("task", RECIPES)
def test_docstrings_say_what_the_grammar_says(task, builder):
    page = ROOT / "docs" / "make_docstrings.py"
    spec = importlib.util.spec_from_file_location("make_docstrings", page)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    path, text = module.written(task, builder)
    assert path.read_text(encoding="utf-8") == text, "run python docs/make_docstrings.py"
    assert not doctest.testmod(module).failed


@pytest.mark.parametrize(("place", "task", "whole"), SIGNATURES)
def test_estimators_and_builders_are_each_documented_as_a_whole(place, task, whole):
    module, name = place.split(":")
    found = getattr(importlib.import_module(module), name)
    text = inspect.getdoc(found)
    assert not re.search(r"\b[Aa]s (in|for) :(class|func):|are those of", text)
    described = re.findall(r"^(\w+) : ", re.split("Attributes|Returns", text)[0], re.M)
    assert described == list(inspect.signature(found).parameters)
