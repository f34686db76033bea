"""Value types of the recipe: what is accepted, and the words that say so.

Each type is an annotation that pydantic checks. The words of an error message ("a positive
integer") are read from the same annotation, so that a range and its description cannot differ.
"""

from __future__ import annotations

import types
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Interval, Lt, MinLen
from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

__all__ = [
    "Column",
    "Count",
    "Fraction",
    "Number",
    "OneOf",
    "Positive",
    "Probability",
    "Rate",
    "Seed",
    "Switch",
    "Words",
    "allowed_names",
    "listing",
    "phrase",
]


@dataclass(frozen=True)
class Words:
    """Says in an annotation what a value must be, where the type alone does not say it well."""

    phrase: str


@dataclass(frozen=True, init=False)
class OneOf:
    """Annotation of a string that must be a row of a table.

    Parameters
    ----------
    names : iterable of str
        The allowed names, in the order they are shown.
    """

    names: tuple[str, ...]

    def __init__(self, names: Iterable[str]) -> None:
        object.__setattr__(self, "names", tuple(names))

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.literal_schema(list(self.names))


Switch = Annotated[bool, Words("true or false")]
Count = Annotated[int, Ge(1), Words("a positive integer")]
Seed = Annotated[int, Interval(ge=0, le=2**32 - 1), Words("an integer from 0 to 4294967295")]
Number = Annotated[float, Words("a number")]
Positive = Annotated[float, Gt(0), Words("a number above 0")]
Fraction = Annotated[float, Ge(0), Lt(1), Words("a fraction from 0 to below 1")]
Rate = Annotated[float, Ge(0), Lt(1), Words("a number from 0 to below 1")]
Probability = Annotated[float, Gt(0), Lt(1), Words("a number between 0 and 1")]
Column = Annotated[str, MinLen(1), Words("a column's name")]

_PLURALS = {
    "a positive integer": "positive integers",
    "a number between 0 and 1": "numbers between 0 and 1",
    "a column's name": "columns' names",
    "a name": "names",
}


def listing(words: Iterable[str], last: str = "or") -> str:
    """Return the words as English lists them.

    Examples
    --------
    >>> listing(["a", "b", "c"])
    'a, b or c'
    """
    *first, end = list(words)
    return f"{', '.join(first)} {last} {end}" if first else end


def _one_of(names: Iterable[str]) -> str:
    names = tuple(names)
    return f"one of {listing(names)}" if len(names) > 2 else listing(names)


def phrase(annotation: Any, null: str = "null") -> str:
    """Return in words what a value of this type must be.

    Parameters
    ----------
    annotation : type
        One of the annotations of this module, or a union or list of them.
    null : str, default="null"
        How nothing is written: ``null`` in a recipe, ``None`` in Python.

    Examples
    --------
    >>> phrase(Count | None)
    'a positive integer or null'
    >>> phrase(list[Count])
    'a list of positive integers'
    """
    if annotation is type(None):
        return null
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        for note in arguments[1:]:
            if isinstance(note, Words):
                return note.phrase.replace("null", null)
            if isinstance(note, OneOf):
                return _one_of(note.names)
        return phrase(arguments[0], null)
    if origin in (Union, types.UnionType):
        words = [phrase(a, null) for a in arguments]
        if any("," in word for word in words):  # "a, b and c or null" would read as a name
            words.sort(key=lambda word: word != null)
        return listing(words)
    if origin is Literal:
        return _one_of(map(str, arguments))
    if origin is list:
        item = phrase(arguments[0], null)
        if allowed_names(arguments[0]):
            return f"a list of names out of {listing(allowed_names(arguments[0]), 'and')}"
        return f"a list of {_PLURALS.get(item, f'values, each {item}')}"
    if origin is dict:
        return "a map of settings"
    return {str: "a string", int: "an integer", float: "a number", bool: "true or false"}.get(
        annotation, "a map of settings"
    )


def allowed_names(annotation: Any) -> tuple[str, ...]:
    """Return the names a value of this type may have; empty where any string will do.

    Examples
    --------
    >>> allowed_names(list[Annotated[str, OneOf(["mae", "rmse"])]] | None)
    ('mae', 'rmse')
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        for note in arguments[1:]:
            if isinstance(note, OneOf):
                return note.names
        return allowed_names(arguments[0])
    if origin is Literal:
        return tuple(a for a in arguments if isinstance(a, str))
    return tuple(name for a in arguments for name in allowed_names(a))
