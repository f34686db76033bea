"""Write the parameters of estimators and builders into their docstrings, from the recipes' grammar.

    python docs/make_docstrings.py

So each is documented as a whole, in editors too, and a setting is described in one place.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import seqkit.builders
from seqkit.estimators.saving import estimator_class
from seqkit.recipe.field_errors import whole
from seqkit.recipe.schema import PARAMETERS, RECIPES, leaves
from seqkit.recipe.types import allowed_names, listing, phrase

WIDTH = 100
# What Python takes beside what a recipe may say.
MORE = {
    "optimizer": (
        "str, dict or keras.optimizers.Optimizer",
        'Gradient method: one of {}; or a dict of such a name and its options, as ``{{"name": '
        '"sgd", "momentum": 0.9}}`` (:mod:`seqkit.recipe.optimizers` lists them); or an object of '
        "Keras, which then trains, from the object's learning rate on and with a schedule of its "
        "own if it has one. Such an object is copied, never changed.",
    ),
    "start": (
        "path, fitted estimator or None",
        "{} It is a run folder, a folder that ``save`` has written, or a fitted estimator, which "
        "scikit-learn's clone keeps in ``sklearn.frozen.FrozenEstimator`` only.",
    ),
}
# What a builder says of a setting beside the grammar.
BY_HAND = {
    "scale": "The kind says which statistics an estimator puts into the layer; by hand, call its "
    "``adapt``.",
}
# What a builder says instead: it has no data to decide by, and a list is an ensemble of models.
BUILT = {
    "context_length": "Past steps the model sees.",
    "horizon": "Steps forecast at once.",
    "season": "Steps in a season, for the seasonal naive forecast and the patch.",
}
# What no recipe has, of builders and of estimators.
OTHERS = {
    "n_timesteps": ("int or None", "Length of every series; None leaves it open."),
    "n_features": ("int", "Features a time step."),
    "n_classes": ("int", "Number of classes, at least 2."),
    "n_tokens": (
        "int or None",
        "Number of tokens, where series are of tokens and not of features.",
    ),
    "n_targets": ("int", "Numbers, or series, predicted together."),
    "n_past": ("int", "Covariates known up to now only."),
    "n_future": ("int", "Covariates known over the horizon too."),
    "n_static": ("int", "Numbers that describe a series."),
    "static_categories": (
        "sequence of int",
        "For every static covariate of categories their number; code 0 is an unknown one.",
    ),
    "variable_length": (
        "bool",
        "Add the input ``lengths``, ``(batch,)`` integers: how many steps of each series are "
        'valid. Inputs are then a dict ``{{"x": ..., "lengths": ...}}``. {padded}',
    ),
    "max_timesteps": (
        "int or None",
        'Most steps of a series, where `n_timesteps` is open and `bias_initializer` is "chrono".',
    ),
    "multilabel": (
        "bool",
        "Every class is there or not, whatever the others are: a sigmoid each, not a softmax.",
    ),
    "target_inputs": (
        "bool",
        "Whether the targets' own past is an input. Without it `normalize` and `departure_from` "
        'must be "none".',
    ),
    "warm_start": (
        "bool",
        "Whether `fit` goes on from the last fit, with the optimizer's state, instead of starting "
        "anew.",
    ),
    "random_state": (
        "int, RandomState instance or None",
        "The same integer gives the same weights, to the bit.",
    ),
    "verbose": ("int", "1 shows a progress bar; where there is no terminal, a line now and then."),
}


def kind(words: str) -> str:
    """Return the words of the grammar for what a value must be, as numpydoc writes them.

    Examples
    --------
    >>> kind("one of last, mean or max"), kind("null or one of a or b"), kind("true or false")
    ('{"last", "mean", "max"}', '{"a", "b"} or None', 'bool')
    >>> kind("a positive integer or auto"), kind("auto or crossentropy")
    ('a positive integer or "auto"', '{"auto", "crossentropy"}')
    """
    if words == "true or false":
        return "bool"
    optional = re.fullmatch(r"null or (.+)|(.+) or null", words)
    if optional:
        return f"{kind(optional[1] or optional[2])} or None"
    choice = re.fullmatch(r"(?:one of )?((?:\w+, )*\w+) or (\w+)", words)
    if choice:
        names = [*choice[1].split(", "), choice[2]]
        return "{" + ", ".join(f'"{name}"' for name in names) + "}"
    return re.sub(r"\b(auto|balanced|refit)\b", r'"\1"', words).replace("null", "None")


def entries(task: str, owner: Callable[..., Any]) -> str:
    """Return the section Parameters of an estimator or a builder of a task, indented."""
    fields, paths, lines = leaves(RECIPES[task]), PARAMETERS[task], []
    is_class = inspect.isclass(owner)
    padded = f"They are padded on the {'left' if task == 'forecasting' else 'right'}."
    for name, parameter in inspect.signature(owner).parameters.items():
        if name in OTHERS:
            what, meaning = OTHERS[name]
            meaning = meaning.format(padded=padded) if name == "variable_length" else meaning
        else:
            field = fields[paths[name]]
            what = kind(phrase(whole(field)))
            meaning = re.sub(r"\bnull\b", "None", field.description or "")
            if name in MORE:
                what, meaning = MORE[name]
                known = allowed_names(whole(field))
                own = re.sub(r"\bnull\b", "None", field.description or "")
                meaning = meaning.format(listing(known) if known else own)
            if not is_class and name in BY_HAND:
                meaning = f"{meaning} {BY_HAND[name]}"
            if not is_class and name in BUILT:
                what, meaning = "a positive integer", BUILT[name]
        default = ""
        if parameter.default is not inspect.Parameter.empty:
            shown = repr(parameter.default)
            default = f", default={shown}".replace("'", '"')
        if len(f"    {name} : {what}{default}") > WIDTH:
            meaning = f"{meaning} One of {what.strip('{}')}."
            what = "str"
        lines.append(f"    {name} : {what}{default}")
        lines += textwrap.wrap(
            meaning, WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 8,
            break_on_hyphens=False, break_long_words=False,
        )  # fmt: skip
    return "\n".join(lines)


BUILDERS = {
    "classification": seqkit.builders.build_classifier,
    "regression": seqkit.builders.build_regressor,
    "tagging": seqkit.builders.build_tagger,
    "forecasting": seqkit.builders.build_forecaster,
}
HEADING = "    Parameters\n    ----------\n"


def written(task: str, builder: bool = False) -> tuple[Path, str]:
    """Return the module of a task's estimator or builder, and what it should hold."""
    owner: Callable[..., Any] = BUILDERS[task] if builder else estimator_class(task)
    path = Path(inspect.getfile(inspect.unwrap(owner)))
    text = path.read_text(encoding="utf-8")
    start = text.index(f"{'def' if builder else 'class'} {owner.__name__}(")
    begin = text.index(HEADING, start) + len(HEADING)
    end = text.index(f"\n\n    {'Returns' if builder else 'Attributes'}\n", begin)
    return path, text[:begin] + entries(task, owner) + text[end:]


if __name__ == "__main__":
    for task in RECIPES:
        for builder in (False, True):
            path, text = written(task, builder)
            path.write_text(text, encoding="utf-8")
