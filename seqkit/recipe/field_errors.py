"""What is wrong with a set of values, found by pydantic and said in seqkit's words."""

from __future__ import annotations

import threading
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from seqkit.auto import AUTO
from seqkit.errors import shown, suggest
from seqkit.recipe.optimizers import Variants
from seqkit.recipe.rules import broken_rules
from seqkit.recipe.types import MapOf, OneOf, allowed_names, listing, phrase

__all__ = ["FieldError", "rule_errors", "section_errors", "value_errors", "whole"]

Path = tuple[str | int, ...]
_building = threading.Lock()
SUGGESTED = 50  # unknown fields for which a known one is looked for


@dataclass(frozen=True)
class FieldError:
    """One error.

    Attributes
    ----------
    path : tuple of str or int
        Keys that lead to the setting.
    kind : {"unknown", "task", "missing", "type", "value", "rule"}
        What sort of error it is; the first two are about a key, not its value.
    expected, hint : str
        Words for :func:`seqkit.errors.explain`.
    text : str
        The whole message, where that form does not fit.
    item : tuple of str or int
        The item inside the setting's value that is wrong, if it is one.
    also : tuple of tuple of str
        Other settings that take part, for a rule.
    """

    path: Path
    kind: Literal["unknown", "task", "missing", "type", "value", "rule"]
    expected: str = ""
    hint: str = ""
    text: str = ""
    item: Path = ()
    also: tuple[Path, ...] = ()

    @property
    def dotted(self) -> str:
        """The path as written in messages."""
        return ".".join(map(str, self.path))


def whole(field: FieldInfo) -> Any:
    """Return the annotation of a field with the notes that pydantic has taken off it."""
    return Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation


def value_errors(kind: type[BaseModel], values: Mapping[str, Any], null: str) -> list[FieldError]:
    """Return the errors of values against a class of fields, one for each field at most."""
    with _building:  # put off until here; older versions of pydantic do not lock it themselves
        kind.model_rebuild()
    try:
        kind.__pydantic_validator__.validate_python(dict(values))
    except ValidationError as error:
        found: dict[Path, list[Any]] = {}
        for detail in error.errors(include_url=False, include_input=False):
            path, _ = _split(kind, detail["loc"])
            found.setdefault(path, []).append(detail)
        errors = []
        unknown = 0
        for path, details in found.items():
            if _field(kind, path) is None:
                unknown += 1
                errors.append(_unknown_error(kind, path, unknown <= SUGGESTED))
            elif (map_of := _variants(kind, path, values)) is not None:
                errors += _map_errors(path, *map_of, null)
            else:
                errors.append(_error(kind, path, details, values, null))
        return errors
    return []


def _variants(
    kind: type[BaseModel], path: Path, values: Mapping[str, Any]
) -> tuple[Variants | MapOf, Mapping[Any, Any]] | None:
    """Return what a map of settings may hold, and the map, if it is one."""
    field = _field(kind, path)
    got: Any = values
    assert field is not None
    notes = [
        note for part in _parts(field.annotation) for note in getattr(part, "__metadata__", ())
    ]
    variants = next((note for note in notes if isinstance(note, Variants | MapOf)), None)
    for key in path:
        if key not in got:
            return None
        got = got[key]
    return (variants, got) if variants is not None and isinstance(got, Mapping) else None


def _parts(annotation: Any) -> tuple[Any, ...]:
    """Return the members of a union, and of those in it, whatever is written around them."""
    if hasattr(annotation, "__metadata__"):
        return (annotation, *_parts(get_args(annotation)[0]))
    if get_origin(annotation) in (Union, types.UnionType):
        return tuple(part for member in get_args(annotation) for part in _parts(member))
    return (annotation,)


def _map_errors(
    path: Path, variants: Variants | MapOf, got: Mapping[Any, Any], null: str
) -> list[FieldError]:
    """Return the errors of a map of settings, or of one whose ``name`` says which it may have."""
    if isinstance(variants, MapOf):
        return _option_errors(path, str(path[-1]), variants.kind, got, null)
    names = [name for name, _ in variants.kinds]
    if "name" not in got:
        words = f"a map with a name, {phrase(Annotated[str, OneOf(names)])}"
        return [FieldError(path, "value", words, f"Write name: {names[0]} into it.")]
    kind = variants.kind(got["name"])
    if kind is None:
        words = phrase(Annotated[str, OneOf(names)])
        near = suggest(got["name"], names) if isinstance(got["name"], str) else ""
        return [FieldError((*path, "name"), "value", words, near[:1].upper() + near[1:])]
    return _option_errors(path, got["name"], kind, got, null)


def _option_errors(
    path: Path, owner: str, kind: type[BaseModel], got: Mapping[Any, Any], null: str
) -> list[FieldError]:
    """Return the errors of a map of options of `owner`."""
    known = [option for option in kind.model_fields if option != "name"]
    errors = []
    for option in [option for option in got if option not in kind.model_fields]:
        near = suggest(option, known) if isinstance(option, str) else ""
        near = near or f"it has {listing(known, 'and')}."
        text = f"{shown(option)} is no option of {owner}; {near}"
        errors.append(FieldError((*path, option), "unknown", text=text))
    given = {option: value for option, value in got.items() if option in kind.model_fields}
    return errors + [replace(f, path=(*path, *f.path)) for f in value_errors(kind, given, null)]


def section_errors(
    kind: type[BaseModel], values: Mapping[str, Any], others: Mapping[str, type[BaseModel]]
) -> list[FieldError]:
    """Return the errors of a recipe's values; a field of another task is said to be one."""
    values, errors = _named(kind, values)
    for error in value_errors(kind, values, null="null"):
        if error.kind == "unknown":
            tasks = [name for name, other in others.items() if _field(other, error.path)]
            if tasks:
                error = FieldError(
                    error.path,
                    "task",
                    text=f"{shown(error.dotted)} is for {listing(tasks, 'and')}, not for "
                    f"{values.get('task')}. Remove it.",
                )
        errors.append(error)
    return errors


def _named(
    kind: type[BaseModel], values: Mapping[str, Any], above: Path = ()
) -> tuple[dict[str, Any], list[FieldError]]:
    """Return the values whose keys are text, in sections too, and the others as errors."""
    named: dict[str, Any] = {}
    errors = []
    for key, value in values.items():
        field = kind.model_fields.get(key) if isinstance(key, str) else None
        if not isinstance(key, str):
            errors.append(_unknown_error(kind, (*above, key), suggested=False))
        elif field and _is_section(field.annotation) and isinstance(value, Mapping):
            named[key], inner = _named(field.annotation, value, (*above, key))  # type: ignore[arg-type]
            errors += inner
        else:
            named[key] = value
    return named, errors


def rule_errors(values: Mapping[str, Any], shown: Mapping[str, str]) -> list[FieldError]:
    """Return the rules between settings that are broken.

    Parameters
    ----------
    values : mapping of str to object
        Settings by dotted path.
    shown : mapping of str to str
        The name of each path in messages.
    """
    errors = []
    for rule, figure in broken_rules(values):
        names = {path.rpartition(".")[2]: shown[path] for path in rule.of}
        errors.append(
            FieldError(
                tuple(rule.of[0].split(".")),
                "rule",
                rule.expected.format_map(names),
                rule.hint.format_map({**names, "figure": figure}),
                also=tuple(tuple(path.split(".")) for path in rule.of[1:]),
            )
        )
    return errors


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _split(kind: type[BaseModel], loc: Path) -> tuple[Path, Path]:
    """Split the position of a pydantic error into the setting and what follows inside it."""
    for depth, key in enumerate(loc):
        field = kind.model_fields.get(str(key))
        if field is None or not _is_section(field.annotation):
            return loc[: depth + 1], loc[depth + 1 :]
        kind = field.annotation  # type: ignore[assignment]
    return loc, ()


def _field(kind: type[BaseModel], path: Path) -> FieldInfo | None:
    field = None
    for key in path:
        if not _is_section(kind):
            return None
        field = kind.model_fields.get(str(key))
        if field is None:
            return None
        kind = field.annotation  # type: ignore[assignment]
    return field


def _error(
    kind: type[BaseModel],
    path: Path,
    details: list[dict[str, Any]],
    values: Mapping[str, Any],
    null: str,
) -> FieldError:
    field = _field(kind, path)
    assert field is not None
    if details[0]["type"] == "missing":
        dotted = ".".join(map(str, path))
        meaning = (field.description or "").split(". ")[0].rstrip(".")
        return FieldError(
            path, "missing", text=f"missing field {dotted!r}: {meaning[:1].lower()}{meaning[1:]}."
        )
    got: Any = values
    for key in path:
        got = got[key]
    annotation = whole(field)
    item, wrong = _item(got, details, path)
    hint = next((d["msg"] for d in details if d["type"] in ("distinct", "rising")), "")
    hint = hint or _bound(details, wrong, phrase(annotation, null))
    if not hint and isinstance(wrong, str):
        near = suggest(wrong, allowed_names(annotation))
        if near:
            hint = near[:1].upper() + near[1:]
        elif _is_number(wrong) and allowed_names(annotation) in ((), (AUTO,)):
            hint = "Remove the quotes."
    sort: Literal["type", "value"] = "type" if _wrong_type(details, wrong) else "value"
    return FieldError(path, sort, phrase(annotation, null), hint, item=item)


def _bound(details: Iterable[dict[str, Any]], wrong: Any, words: str) -> str:
    """Say which bound was passed, where the words for the type do not."""
    for detail in details:
        limits = detail.get("ctx", {})
        most, least = limits.get("le"), limits.get("ge")
        if most is not None and str(most) not in words:
            return f"It may be at most {most}."
        if least is not None and isinstance(wrong, float) and 0 < wrong < least < 1:
            return f"It may be no smaller than {least}."
        if detail["type"] == "too_long":
            return f"It may have at most {limits['max_length']} items."
        if detail["type"] == "string_too_long":
            return f"It may have at most {limits['max_length']} characters."
    return ""


def _item(got: Any, details: Iterable[dict[str, Any]], path: Path) -> tuple[Path, Any]:
    """Return the deepest position inside a list or map that an error points at, and its value."""
    best: Path = ()
    for detail in details:
        here, position = got, []
        for key in detail["loc"][len(path) :]:
            if _holds(here, key):
                here = here[key]
                position.append(key)
        if len(position) > len(best):
            best = tuple(position)
    for key in best:
        got = got[key]
    return best, got


def _holds(value: Any, key: str | int) -> bool:
    if isinstance(value, list):
        return isinstance(key, int) and key < len(value)
    return isinstance(value, Mapping) and key in value


def _wrong_type(details: list[dict[str, Any]], wrong: Any) -> bool:
    return all(
        d["type"].endswith("_type")
        or d["type"] == "int_from_float"
        or (d["type"] == "literal_error" and not isinstance(wrong, str))
        for d in details
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def _unknown_error(kind: type[BaseModel], path: Path, suggested: bool) -> FieldError:
    """Say that a field is unknown, and which it may have been meant to be."""
    text = f"unknown field {shown('.'.join(map(str, path)))}"
    near = _meant(kind, path) if suggested else ""
    return FieldError(path, "unknown", text=f"{text}; {near}" if near else text)


def _meant(kind: type[BaseModel], path: Path) -> str:
    owner: Any = kind
    for key in path[:-1]:
        owner = owner.model_fields[key].annotation
    name = str(path[-1])
    if near := suggest(name, owner.model_fields):
        return near
    for other in _dotted(kind):
        if other.rpartition(".")[2] == name:
            return f"did you mean {other!r}?"
    return suggest(name, sorted({p.rpartition(".")[2] for p in _dotted(kind)}))


def _dotted(kind: type[BaseModel], prefix: str = "") -> list[str]:
    found = []
    for name, field in kind.model_fields.items():
        if _is_section(field.annotation):
            found += _dotted(field.annotation, f"{prefix}{name}.")  # type: ignore[arg-type]
        found.append(prefix + name)
    return found
