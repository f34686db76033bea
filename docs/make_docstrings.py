"""Write the parameters of the estimators into their docstrings, from the grammar of recipes.

    python docs/make_docstrings.py

So every class is documented as a whole, in editors too, and each setting is described in one place.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from pathlib import Path

from seqkit.estimators.saving import estimator_class
from seqkit.recipe.faults import whole
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
}
# What no recipe has.
OTHERS = {
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
    return re.sub(r"\b(auto|balanced)\b", r'"\1"', words).replace("null", "None")


def entries(task: str) -> str:
    """Return the section Parameters of a task's estimator, indented as in its class."""
    fields, paths, lines = leaves(RECIPES[task]), PARAMETERS[task], []
    for name, parameter in inspect.signature(estimator_class(task)).parameters.items():
        if name in OTHERS:
            what, meaning = OTHERS[name]
        else:
            field = fields[paths[name]]
            what = kind(phrase(whole(field)))
            meaning = re.sub(r"\bnull\b", "None", field.description or "")
            if name in MORE:
                what, meaning = MORE[name]
                meaning = meaning.format(listing(allowed_names(whole(field))))
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


def written(task: str) -> tuple[Path, str]:
    """Return the module of a task's estimator, and what it should hold."""
    found = estimator_class(task)
    path = Path(inspect.getfile(found))
    text = path.read_text(encoding="utf-8")
    begin = text.index("    Parameters\n    ----------\n", text.index(f"class {found.__name__}("))
    begin += len("    Parameters\n    ----------\n")
    end = text.index("\n\n    Attributes\n", begin)
    return path, text[:begin] + entries(task) + text[end:]


if __name__ == "__main__":
    for task in RECIPES:
        path, text = written(task)
        path.write_text(text, encoding="utf-8")
