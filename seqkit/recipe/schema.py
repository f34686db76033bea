"""The grammar of a recipe, one class a task, and the checks that use it.

The same field definitions serve the recipe (:func:`recipe_errors`), the keyword arguments of
estimators and builders (:func:`validate_parameters`) and the JSON schema of editors
(:func:`json_schema`).

Examples
--------
>>> validate_parameters("SequenceClassifier", "classification", {"units": [64, 64]})
>>> validate_parameters("SequenceClassifier", "classification", {"dropout": -3})
Traceback (most recent call last):
ValueError: SequenceClassifier: dropout must be a number from 0 to below 1; got -3.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal

from annotated_types import MaxLen
from pydantic import Field, create_model
from pydantic.fields import FieldInfo
from pydantic.json_schema import models_json_schema

from seqkit.errors import explain, shown, suggest
from seqkit.recipe import data_sections as read
from seqkit.recipe import evaluate_sections as judged
from seqkit.recipe import forecasting_sections as forecasted
from seqkit.recipe import regression_sections as regressed
from seqkit.recipe import sections as s
from seqkit.recipe import tagging_sections as tagged
from seqkit.recipe.field_errors import FieldError, rule_errors, section_errors, value_errors, whole
from seqkit.recipe.types import (
    LETTERS,
    MILLION,
    Count,
    OneOf,
    Seed,
    Switch,
    Words,
    count,
    listing,
    names,
    phrase,
)
from seqkit.tasks import TASKS

__all__ = [
    "PARAMETERS",
    "RECIPES",
    "SECTIONS",
    "ClassificationRecipe",
    "ForecastingRecipe",
    "Recipe",
    "RegressionRecipe",
    "TaggingRecipe",
    "defaults",
    "json_schema",
    "leaves",
    "recipe_errors",
    "validate_parameters",
]

SECTIONS = ("data", "model", "train", "forecast", "evaluate")
"""Maps of a recipe, in the order they are written."""


class Recipe(s.Section):
    """What all recipes share; the class of a task adds its sections.

    Attributes
    ----------
    version, task, seed, data, model, train, evaluate, export, track
        As in the guide to the recipe.
    """

    version: Literal[1] = s.setting(1, "Version of this grammar.")
    task: Annotated[str, OneOf(TASKS)] = s.setting(..., "What is learned.")
    seed: Seed = s.setting(
        0, "Seed of everything random: initial weights, order of examples, dropout, splits."
    )
    extends: Annotated[str, MaxLen(LETTERS), Words("a recipe's file name")] | None = s.setting(
        None,
        "Recipe to start from, relative to this one; maps are merged, lists and values replaced.",
    )
    data: read.DataSection
    model: s.ModelSection
    train: s.TrainSection
    evaluate: s.Section
    export: names(s.EXPORT_FORMATS) = Field(  # type: ignore[valid-type]
        default_factory=list,
        description="Formats the trained model is exported to, into the run folder's export/.",
    )
    track: (
        Annotated[str, OneOf(s.TRACKERS)] | names(tuple(s.TRACKERS))  # type: ignore[valid-type]
    ) = Field(
        default_factory=list,
        description="Who is told of the run as it goes on: mlflow = settings, curves, scores, "
        "files and the model go to MLFLOW_TRACKING_URI, or MLflow's local store; tensorboard = "
        "curves and scores, in the run folder's tensorboard/. One that fails does not fail the "
        "run.",
    )

    def parameters(self) -> dict[str, Any]:
        """Return the settings as the keyword arguments of the task's estimator.

        Returns
        -------
        dict of str to object
            One item for each of ``PARAMETERS[task]``, and ``random_state``.
        """
        found: dict[str, Any] = {}
        for name, path in PARAMETERS[self.task].items():
            value: Any = self
            for key in path.split("."):
                value = getattr(value, key)
            found[name] = value
        if isinstance(found.get("time"), list):  # the reader makes one column of several
            found["time"] = "_".join(found["time"])
        if getattr(self.data, "layout", None) == "wide":  # the columns of a row a series
            found |= dict.fromkeys(_ALSO_SERIES)
        return {**found, "random_state": self.seed}


def _section(kind: type[s.Section], description: str) -> Any:
    return Field(default_factory=kind, description=description)


DATA = "Where the data comes from and which columns mean what."
MODEL = "The network."
TRAIN = "How the network is trained."
FORECAST = "What is forecast."
EVALUATE = "How the model is judged; the baselines are always shown beside it."


class ClassificationRecipe(Recipe):
    """One class for a whole series."""

    task: Literal["classification"] = s.setting(..., "What is learned.")
    data: read.ClassificationData = Field(description=DATA)
    model: s.SequenceModel = _section(s.SequenceModel, MODEL)
    train: s.ClassificationTrain = _section(s.ClassificationTrain, TRAIN)
    evaluate: judged.ClassificationEvaluate = _section(judged.ClassificationEvaluate, EVALUATE)


class RegressionRecipe(Recipe):
    """One number, or several, for a whole series."""

    task: Literal["regression"] = s.setting(..., "What is learned.")
    data: read.SequenceData = Field(description=DATA)
    model: regressed.RegressionModel = _section(regressed.RegressionModel, MODEL)
    train: regressed.RegressionTrain = _section(regressed.RegressionTrain, TRAIN)
    evaluate: judged.RegressionEvaluate = _section(judged.RegressionEvaluate, EVALUATE)


class TaggingRecipe(Recipe):
    """A label for every time step."""

    task: Literal["tagging"] = s.setting(..., "What is learned.")
    data: tagged.TaggingData = Field(description=DATA)
    model: tagged.TaggingModel = _section(tagged.TaggingModel, MODEL)
    train: tagged.TaggingTrain = _section(tagged.TaggingTrain, TRAIN)
    evaluate: tagged.TaggingEvaluate = _section(tagged.TaggingEvaluate, EVALUATE)


class ForecastingRecipe(Recipe):
    """The next steps of one series or of many."""

    task: Literal["forecasting"] = s.setting(..., "What is learned.")
    data: read.ForecastingData = Field(description=DATA)
    model: forecasted.ForecastingModel = _section(forecasted.ForecastingModel, MODEL)
    train: forecasted.ForecastingTrain = _section(forecasted.ForecastingTrain, TRAIN)
    forecast: forecasted.ForecastSection = _section(forecasted.ForecastSection, FORECAST)
    evaluate: judged.ForecastingEvaluate = _section(judged.ForecastingEvaluate, EVALUATE)


RECIPES: dict[str, type[Recipe]] = {
    "classification": ClassificationRecipe,
    "regression": RegressionRecipe,
    "tagging": TaggingRecipe,
    "forecasting": ForecastingRecipe,
}
"""The grammar of each task."""


def leaves(kind: type[s.Section], prefix: str = "") -> dict[str, FieldInfo]:
    """Return the settings of a section and of those in it, by dotted path."""
    found: dict[str, FieldInfo] = {}
    for name, field in kind.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, s.Section):
            found |= leaves(field.annotation, f"{prefix}{name}.")
        else:
            found[prefix + name] = field
    return found


# Settings outside model, train and forecast that estimators and builders take as well.
_ALSO = ("data.split.validation", "data.missing", "evaluate.season")
_ALSO_FORECASTING = (
    "series_id",
    "time",
    "target",
    "frequency",
    "past_covariates",
    "future_covariates",
    "static_covariates",
    "calendar",
)
_ALSO_SERIES = ("series_id", "time", "target", "features")
_ELSEWHERE = frozenset({"random_state", "verbose"})


def _parameters(task: str) -> dict[str, str]:
    ahead = "forecast" in RECIPES[task].model_fields
    columns = _ALSO_FORECASTING if ahead else _ALSO_SERIES
    also = {*_ALSO, *(f"data.{name}" for name in columns)}
    return {
        path.rpartition(".")[2]: path
        for path in leaves(RECIPES[task])
        if path.startswith(("model.", "train.", "forecast.")) or path in also
    }


PARAMETERS: dict[str, dict[str, str]] = {task: _parameters(task) for task in RECIPES}
"""For each task, the parameters of its estimator and the recipe fields they are."""


class _Shapes(s.Section):
    """Arguments of builders and estimators that no recipe has."""

    n_timesteps: count(1000 * MILLION) | None = None  # type: ignore[valid-type]
    max_timesteps: count(1000 * MILLION) | None = None  # type: ignore[valid-type]
    n_features: Count
    n_classes: Annotated[int, Words("an integer of 2 or more"), Field(ge=2, le=MILLION)]
    n_targets: Count
    n_tokens: Count | None = None
    variable_length: Switch = False
    multilabel: Switch = False
    warm_start: Switch = False


@cache
def _arguments(task: str) -> type[s.Section]:
    fields = leaves(RECIPES[task])
    known = {name: fields[path] for name, path in PARAMETERS[task].items()} | _Shapes.model_fields
    section: type[s.Section] = create_model(
        f"{task.capitalize()}Parameters",
        __base__=s.Section,
        **{  # type: ignore[call-overload]
            name: (Annotated[(f.annotation, *f.metadata)] if f.metadata else f.annotation, None)
            for name, f in known.items()
        },
    )
    return section


def defaults(task: str) -> dict[str, Any]:
    """Return the default of every parameter of a task's estimator that has one.

    Examples
    --------
    >>> defaults("classification")["dropout"]
    0.2
    """
    fields = leaves(RECIPES[task])
    return {
        name: fields[path].get_default(call_default_factory=True)
        for name, path in PARAMETERS[task].items()
        if not fields[path].is_required()
    }


def validate_parameters(owner: str, task: str, values: Mapping[str, Any]) -> None:
    """Check keyword arguments of an estimator or a builder by the grammar of recipes.

    Parameters
    ----------
    owner : str
        Name of the class or function, which begins the message.
    task : str
        A key of :data:`RECIPES`.
    values : mapping of str to object
        Arguments by name. NumPy scalars, arrays and tuples stand for numbers and lists.
        ``random_state`` and ``verbose`` are passed over.

    Raises
    ------
    TypeError
        If all errors are wrong types, or a name is unknown.
    ValueError
        If a value is out of range or contradicts another. All errors are in the one message.
    """
    plain = {name: _plain(value) for name, value in values.items() if name not in _ELSEWHERE}
    kind = _arguments(task)
    errors = value_errors(kind, plain, null="None")
    wrong = {str(error.path[0]) for error in errors}
    paths = PARAMETERS[task]
    checked = {paths[n]: v for n, v in plain.items() if n in paths and n not in wrong}
    shown = {path: name for name, path in paths.items()}
    errors += rule_errors(checked, shown)
    if not errors:
        return
    lines = []
    for error in errors:
        name, *inside = (shown[error.dotted],) if error.dotted in shown else error.path
        if error.kind == "unknown":
            text = error.text if inside else _unknown_parameter(str(name), task)
            lines.append(f"{owner}: {text}")
            continue
        what, value = str(name), values[str(name)]
        for key in inside:
            what, value = f"{what}[{key!r}]", value[key]
        lines.append(explain(owner, what, error.expected, value, error.hint))
    if all(error.kind in ("type", "unknown") for error in errors):
        raise TypeError("\n".join(lines))
    raise ValueError("\n".join(lines))


def _unknown_parameter(name: str, task: str) -> str:
    tasks = [other for other, known in PARAMETERS.items() if name in known]
    if tasks:
        return f"parameter {shown(name)} is for {listing(tasks, 'and')}, not for {task}."
    near = suggest(name, _arguments(task).model_fields)
    text = f"unknown parameter {shown(name)}"
    return f"{text}; {near}" if near else text


def _plain(value: Any, depth: int = 2) -> Any:
    """Return a NumPy scalar or array, or a tuple, as the plain value it stands for.

    What is nested deeper than any parameter stays as it is, since it may contain itself.
    """
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, (list, tuple)) and depth:
        return [_plain(item, depth - 1) for item in value]
    if isinstance(value, Mapping) and depth:
        return {_plain(key, 0): _plain(item, depth - 1) for key, item in value.items()}
    return value


def recipe_errors(values: Mapping[str, Any]) -> list[FieldError]:
    """Return every error of a recipe given as plain values, in no order.

    Parameters
    ----------
    values : mapping of str to object
        The recipe, ``extends`` already merged.
    """
    task = values.get("task")
    known = isinstance(task, str) and task in RECIPES
    guess = str(task) if known else ("forecasting" if "forecast" in values else "classification")
    errors = section_errors(RECIPES[guess], values, others=RECIPES)
    if not known:
        # Without a task only the errors that no task allows are sure.
        others = [section_errors(kind, values, others=RECIPES) for kind in RECIPES.values()]
        common = set.intersection(*({f.path for f in found} for found in others))
        sure = [f for f in errors if f.path in common and f.kind != "task" and f.path != ("task",)]
        return [_task_error(values), *sure]
    wrong = {error.path for error in errors}
    checked: dict[str, Any] = {}
    for dotted, field in leaves(RECIPES[guess]).items():
        path = tuple(dotted.split("."))
        if any(path[: len(w)] == w[: len(path)] for w in wrong):
            continue
        checked[dotted] = _lookup(values, path, field)
    shown = {path: path for path in checked}
    return errors + rule_errors(checked, shown)


def _task_error(values: Mapping[str, Any]) -> FieldError:
    words = phrase(whole(Recipe.model_fields["task"]))
    if "task" not in values:
        return FieldError(("task",), "missing", text=f"missing field 'task': {words}.")
    task = values["task"]
    near = suggest(task, RECIPES) if isinstance(task, str) else ""
    return FieldError(("task",), "value", words, near[:1].upper() + near[1:])


def _lookup(values: Any, path: tuple[str, ...], field: FieldInfo) -> Any:
    for key in path:
        if not isinstance(values, Mapping) or key not in values:
            return None if field.is_required() else field.get_default(call_default_factory=True)
        values = values[key]
    return values


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of recipes, for editors that complete and check YAML.

    Returns
    -------
    dict
        Draft 2020-12. A recipe that extends another may leave out what the other gives.
    """
    parts = models_json_schema(
        [(kind, "validation") for kind in RECIPES.values()], ref_template="#/$defs/{model}"
    )[1]["$defs"]
    conditions = []
    for task, kind in RECIPES.items():
        name = kind.__name__
        needed: dict[str, Any] = {
            "required": [key for key in parts[name].pop("required") if key != "task"]
        }
        inner = {}
        for key, field in kind.model_fields.items():
            section = parts.get(getattr(field.annotation, "__name__", ""), {})
            if "required" in section:
                inner[key] = {"required": section.pop("required")}
        if inner:
            needed["properties"] = inner
        this_task = {"properties": {"task": {"const": task}}, "required": ["task"]}
        conditions += [
            {"if": this_task, "then": {"$ref": f"#/$defs/{name}"}},
            {"if": {**this_task, "not": {"required": ["extends"]}}, "then": needed},
        ]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "seqkit recipe",
        "description": "What data a recurrent model learns from, what it is, how it is trained "
        "and judged.",
        "type": "object",
        "properties": {
            "task": {"enum": list(RECIPES), "description": "What is learned."},
        },
        "anyOf": [{"required": ["task"]}, {"required": ["extends"]}],
        "allOf": conditions,
        "$defs": {name: _untitled(part) for name, part in parts.items()},
    }


def _untitled(part: Any) -> Any:
    """Return a part of a schema without pydantic's titles, which only repeat the names."""
    if isinstance(part, dict):
        return {
            key: _untitled(value)
            for key, value in part.items()
            if not (key == "title" and isinstance(value, str))
        }
    return [_untitled(item) for item in part] if isinstance(part, list) else part
