"""Value types of the recipe: what is accepted, and the words that say so.

Each type is an annotation that pydantic checks. The words of an error message ("a positive
integer") are read from the same annotation, so that a range and its description cannot differ.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Interval, Le, Lt, MaxLen, MinLen
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

__all__ = [
    "LAYERS",
    "LETTERS",
    "MILLION",
    "NAMES",
    "Column",
    "Columns",
    "Count",
    "File",
    "Files",
    "Fraction",
    "Label",
    "MapOf",
    "Number",
    "OneOf",
    "Positive",
    "Probability",
    "Quantiles",
    "Rate",
    "Section",
    "Seed",
    "Switch",
    "Target",
    "Widths",
    "WidthsEach",
    "Words",
    "allowed_names",
    "bounds",
    "count",
    "distinct",
    "listing",
    "names",
    "phrase",
    "positive",
    "setting",
]

MILLION = 1_000_000
LETTERS = 4096  # of a name or a path
NAMES = 10_000  # columns or classes named one by one
LAYERS = 32


class Section(BaseModel):
    """A map of settings; unknown names are errors and nothing is converted in silence."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        allow_inf_nan=False,
        protected_namespaces=(),
        defer_build=True,  # most sections are never checked by a process
    )


def setting(default: Any, description: str, unit: str | None = None) -> Any:
    """Return a field: its default (``...`` for none), meaning and unit."""
    extra: dict[str, Any] | None = {"x-unit": unit} if unit else None
    return Field(default, description=description, json_schema_extra=extra)


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


@dataclass(frozen=True)
class MapOf:
    """Annotation of a map of the settings of a section; it stays a dict of those that are set."""

    kind: type[Section]

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(
            lambda made: made.model_dump(exclude_unset=True),
            handler.generate_schema(self.kind),
            serialization=core_schema.plain_serializer_function_ser_schema(dict),
        )


def count(most: int) -> Any:
    """Return the type of a positive integer no larger than a bound nobody needs to pass."""
    return Annotated[int, Interval(ge=1, le=most), Words("a positive integer")]


def positive(most: float) -> Any:
    """Return the type of a number above 0 that float32 holds, no larger than a bound."""
    return Annotated[float, Gt(0), Ge(SMALLEST), Le(most), Words("a number above 0")]


SMALLEST = 1e-30
Switch = Annotated[bool, Words("true or false")]
Count = Annotated[int, Interval(ge=1, le=MILLION), Words("a positive integer")]
Seed = Annotated[int, Interval(ge=0, le=2**32 - 1), Words("an integer from 0 to 4294967295")]
Number = Annotated[float, Interval(ge=-1e30, le=1e30), Words("a number")]
Positive = Annotated[float, Gt(0), Ge(SMALLEST), Le(1e30), Words("a number above 0")]
Fraction = Annotated[float, Ge(0), Lt(1), Words("a fraction from 0 to below 1")]
Rate = Annotated[float, Ge(0), Lt(1), Words("a number from 0 to below 1")]
Strength = Annotated[float, Ge(0), Le(10), Words("a number from 0 to 10")]
Probability = Annotated[float, Gt(0), Lt(1), Words("a number between 0 and 1")]
Column = Annotated[str, MinLen(1), MaxLen(LETTERS), Words("a column's name")]
File = Annotated[str, MinLen(1), MaxLen(LETTERS), Words("a file or a glob")]
Files = Annotated[
    File | Annotated[list[File], MinLen(1), MaxLen(NAMES)],
    Words("a file, a glob, a URL, or a list of them"),
]


def distinct(values: list[Any]) -> list[Any]:
    """Return the values if none of them stands twice."""
    if len(set(values)) < len(values):
        raise PydanticCustomError("distinct", "Name every item once.")
    return values


def names(allowed: tuple[str, ...]) -> Any:
    """Return the type of a list of different names out of a table."""
    return Annotated[list[Annotated[str, OneOf(allowed)]], AfterValidator(distinct)]


def _rising(values: list[float]) -> list[float]:
    if any(a >= b for a, b in pairwise(values)):
        raise PydanticCustomError("rising", "Sort them, each once.")
    return values


Width = Annotated[int, Interval(ge=1, le=4096), Words("a positive integer")]
Columns = Annotated[
    list[Column],
    MaxLen(NAMES),
    AfterValidator(distinct),
    Words("a list of different columns' names"),
]
Target = Column | Annotated[Columns, MinLen(1)]
Widths = Annotated[
    Width | Annotated[list[Width], MinLen(1), MaxLen(LAYERS)],
    Words("a positive integer or a list of them"),
]
WidthsEach = Annotated[
    Width
    | Annotated[list[Width], MinLen(1), MaxLen(LAYERS)]
    | Annotated[list[Annotated[list[Width], MinLen(1), MaxLen(LAYERS)]], MinLen(1), MaxLen(1000)],
    Words("a positive integer, a list of them or of such lists"),
]
Label = Annotated[str, MaxLen(LETTERS)] | int | float | bool
Quantiles = Annotated[
    list[Probability],
    MinLen(1),
    MaxLen(1000),
    AfterValidator(_rising),
    Words("a rising list of numbers between 0 and 1"),
]
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
        names = [a for a in arguments if get_origin(a) is Literal]
        if len(names) > 1:  # one choice, written in two parts
            arguments = (*(a for a in arguments if a not in names), Literal[tuple(names)])
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


def bounds(annotation: Any) -> str:
    """Return the largest number of values and the largest value, where there are such bounds.

    Examples
    --------
    >>> bounds(count(4096) | Annotated[list[count(4096)], MaxLen(32)])
    'at most 4096, in a list of at most 32'
    """
    found = list(dict.fromkeys(_bounds(annotation)))
    values = [words for words in found if not words.startswith("in ")]
    lists = [words for words in found if words.startswith("in ")]
    return ", ".join([*values, *lists])


def _bounds(annotation: Any) -> Iterator[str]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is not Annotated:
        for argument in arguments:
            yield from _bounds(argument)
        return
    yield from _bounds(arguments[0])
    kind = get_origin(arguments[0])
    words = [note.phrase for note in arguments if isinstance(note, Words)]
    for note in arguments[1:]:
        most = getattr(note, "le", None)
        if most is not None and not any(str(most) in phrase for phrase in words):
            yield f"at most {most:g}" if most >= 1e9 else f"at most {most}"
        if isinstance(note, MaxLen) and kind in (list, dict):
            yield f"in a {'list' if kind is list else 'map'} of at most {note.max_length}"


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
