"""``seqkit check``: a recipe, and the findings of its data, as a linter says them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seqkit.recipe.reading import read_recipe
from seqkit.system.console import rich_console, say, say_lines, wrapped

if TYPE_CHECKING:
    from seqkit.runs.describing import Description

__all__ = ["CheckResult", "check_asked", "check_file", "check_recipe"]


@dataclass
class CheckResult:
    """What a check has found.

    Attributes
    ----------
    document : dict
        In JSON's types; ``findings`` is there where data were read.
    lines : list of str
        What a person is told.
    description : Description, optional
        Shown first.
    settings : str
        Shown after it.
    """

    document: dict[str, Any]
    lines: list[str] = field(default_factory=list)
    description: Description | None = None
    settings: str = ""

    @property
    def failed(self) -> bool:
        """Whether a finding is more than worth knowing."""
        found = self.document.get("findings", ())
        return any(one.get("severity", "info") != "info" for one in found)

    def print(self) -> None:
        """Print it: a finding a paragraph, the verdict last."""
        if self.description is not None:
            self.description.print()
        if self.settings:
            say(self.settings)
        width = rich_console().width
        for one in self.document.get("findings", ()):
            code = f"{one['code']} {one['severity']}: " if "code" in one else f"{one['title']}: "
            mend = f" Try {one['mend']}." if one["mend"] else ""
            say(wrapped(f"{code}{one['sentence']}{mend}", width, hang="  "))
        say_lines(self.lines)


def check_asked(
    recipe: Path | None,
    data: str | None,
    overrides: tuple[str, ...],
    seed: int | None,
    show: bool,
    describe: bool,
    wanted: Mapping[str, Any],
) -> CheckResult:
    """Check a recipe, its data, or a file, by the options of the command line.

    Parameters
    ----------
    recipe : Path, optional
    data : str, optional
        A file; empty = those of the recipe.
    overrides, seed, show, describe
        As :func:`check_recipe` takes them.
    wanted : mapping
        As :func:`check_file` takes it.

    Raises
    ------
    click.UsageError
        If options do not go together.
    """
    if recipe is None and data and data.endswith((".yaml", ".yml")):
        recipe, data = Path(data), ""  # the option stood before the recipe
    if recipe is None:
        if not data:
            raise click.UsageError("Give a recipe, or --data FILE.")
        if overrides or seed is not None or show or describe:
            raise click.UsageError(
                "--set, --seed, --show and --describe are for a recipe; of a file: seqkit describe."
            )
        return check_file(data, wanted)
    if given := [name for name, value in wanted.items() if value is not None]:
        option = f"--{given[0].replace('_', '-')}"
        raise click.UsageError(f"{option} is for a file; {recipe} is a recipe, which says it.")
    if data:
        overrides = (*overrides, "data.dataset=null", f"data.path={json.dumps(data)}")
    return check_recipe(recipe, overrides, seed, show, data is not None, describe)


def check_recipe(
    recipe: Path,
    overrides: tuple[str, ...] = (),
    seed: int | None = None,
    show: bool = False,
    with_data: bool = False,
    describe: bool = False,
) -> CheckResult:
    """Check a recipe and, where that is wanted, its data.

    Parameters
    ----------
    recipe : Path
    overrides : tuple of str
        ``path=value`` each.
    seed : int, optional
    show, with_data, describe : bool
        Whether every setting is shown, the data are checked, or described.
    """
    resolved = read_recipe(recipe, overrides=overrides, seed=seed)
    checked = CheckResult({"recipe": str(recipe), "valid": True})
    if show:
        checked.document["settings"] = resolved.as_dict()
        checked.settings = resolved.annotated()
    if with_data:
        from seqkit.runs.evidence import check_findings

        sizes, found = check_findings(resolved)
        checked.document |= {"data": sizes, "findings": found}
        notes = [f"note: {note}" for note in sizes.get("said", ())]
        lines = [f"{name}: {value}" for name, value in sizes.items() if isinstance(value, str)]
        checked.lines += [*lines, *notes]
    if describe:
        from seqkit.runs.describing import describe_recipe

        checked.description = describe_recipe(resolved)
        checked.document["description"] = checked.description.document
    checked.lines.append(f"{recipe}: {_counted(checked)}")
    return checked


def check_file(data: str, wanted: Mapping[str, Any]) -> CheckResult:
    """Check the data of a file as ``seqkit init`` would read it.

    Parameters
    ----------
    data : str
    wanted : mapping
        What the user says of it, as :class:`~seqkit.data.summaries.Wanted` takes it.
    """
    from seqkit.data.summaries import Wanted
    from seqkit.runs.describing import describe_data

    found = describe_data(data, Wanted(**wanted)).document["findings"]
    checked = CheckResult({"data": data, "findings": found})
    checked.lines.append(f"{data}: {_counted(checked)}")
    return checked


def _counted(checked: CheckResult) -> str:
    """Say how many findings there are; a recipe that came so far has no errors."""
    found = [one for one in checked.document.get("findings", ()) if "code" in one]
    n = len(found)
    many = "" if not n else "1 finding" if n == 1 else f"{n} findings"
    if "recipe" not in checked.document:
        return many or "no findings"
    return f"no errors in the recipe, {many}" if many else "no errors"
