"""How a text file writes a table: what parts cells, decimals, encoding, where the table begins.

Found by looking at the head of the file, every part of it to be overruled; what is found is said
where it is not the plain form (commas, decimal points, UTF-8, a header in the first line). The
parsing itself is that of pandas.
"""

from __future__ import annotations

import codecs
import csv
import io
import logging
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from seqkit.data.dates import is_date_text
from seqkit.data.files import open_bytes, reading
from seqkit.data.numbers import NUMBER, number_style
from seqkit.errors import DataError, explain

__all__ = ["Dialect", "ReadSettings", "find_dialect", "table_start"]

log = logging.getLogger(__name__)

HEAD, LONGEST_LINE = 2**16, 2**24  # bytes looked at; more where the first line is longer
ROWS = 200  # lines looked at
SEPARATORS = ("\t", ";", "|", ",")
SPACES = r"\s+"
NAMES = {"\t": "tabs", ";": "semicolons", "|": "bars", ",": "commas", SPACES: "spaces"}


@dataclass(frozen=True)
class ReadSettings:
    """What is said of how a file is to be read; what is None is found out.

    Parameters
    ----------
    separator, decimal, thousands, encoding : str, optional
        What parts cells; the decimal mark; the mark between thousands; of text files.
    header : bool, optional
        Whether the first line of a table names the columns.
    sheet : str, optional
        Of a workbook.
    missing_values : sequence of number or str
        Values that stand for missing ones besides the usual, such as -999.
    date_format : str, optional
        A ``strptime`` format of the time stamps, or a row of `dates.NUMBER_FORMS`.
    day_first : bool, optional
        Whether 01/02/2024 is the first of February.
    time_zone : str, optional
        Whose clock stamps without an offset are of, as ``Europe/Berlin``.
    sort : bool
        Bring rows into the order of time.
    frequency : str, optional
        Step of time, where a format has the start only.
    """

    separator: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    encoding: str | None = None
    header: bool | None = None
    sheet: str | None = None
    missing_values: Sequence[Any] = ()
    date_format: str | None = None
    day_first: bool | None = None
    time_zone: str | None = None
    sort: bool = False
    frequency: str | None = None

    @classmethod
    def of(cls, section: Any) -> ReadSettings:
        """Take the settings that have these names from a section of a recipe."""
        names = [name for name in cls.__dataclass_fields__ if hasattr(section, name)]
        return cls(**{name: getattr(section, name) for name in names})


@dataclass(frozen=True)
class Dialect:
    """How a text file writes its table.

    Attributes
    ----------
    columns : tuple of str
        Names; ``column_0`` where there are none.
    separator, decimal, thousands, encoding : str
        `thousands` is "" where there is none.
    header : bool
    skip : int
        Lines above the table.
    comments : bool
        Whether lines that begin with ``#`` are left out.
    """

    columns: tuple[str, ...]
    separator: str = ","
    decimal: str = "."
    thousands: str = ""
    encoding: str = "utf-8"
    header: bool = True
    skip: int = 0
    comments: bool = False


class _Line(NamedTuple):
    number: int  # from 0
    cells: list[str]


def find_dialect(path: Path, settings: ReadSettings | None = None) -> Dialect:
    """Look at the head of a text file and tell how it writes its table.

    Parameters
    ----------
    path : Path
    settings : ReadSettings, optional

    Raises
    ------
    DataError
        Binary files and blank ones; numbers that could be read in two ways.
    """
    settings = settings or ReadSettings()
    head, whole = _head(path)
    encoding = settings.encoding or _encoding(path, head)
    with reading(path, f"text in {encoding}", "Name its encoding with data.encoding."):
        text = codecs.getincrementaldecoder(encoding)("replace").decode(head, final=whole)
    lines = text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not whole and len(lines) > 1:
        lines.pop()  # cut
    if not any(map(str.strip, lines)):
        raise DataError(explain(str(path), "the file", "a table", "blank lines"))
    stated = re.fullmatch(r'"?sep=(.)"?', lines[0])  # as Excel writes it
    if stated:
        lines[0] = ""
    comments = {i for i, line in enumerate(lines) if line.startswith("#")}
    plain = ["" if line.startswith("#") else line for line in lines]
    with reading(path, "a table of quoted cells", ""):
        separator = settings.separator or (stated and stated[1]) or _separator(plain)
        rows = _rows(plain, separator)
        named = _rows([lines[i] if i in comments else "" for i in range(len(lines))], separator)
    rows, header, skip, columns = _beginning(rows, named, settings.header)
    if not columns:
        raise DataError(explain(str(path), "the file", "a table", "nothing but comments"))
    skip = max(skip, 1 if stated else 0)
    cells = [[cell.strip() for cell in line.cells] for line in rows]
    decimal, thousands, doubt = number_style(cells, separator)
    if doubt and settings.decimal is None and settings.thousands is None:
        mark = "," if "," in doubt else "."
        raise DataError(
            f"{path}: numbers must be of one reading; got {doubt}, which is "
            f"{doubt.replace(mark, '')} or {doubt.replace(',', '.')}. Say which with "
            f"data.thousands: '{mark}' or data.decimal: '{mark}'; to seqkit init with --decimal "
            f"{',.'[mark == ',']} or --decimal {mark}."
        )
    if settings.decimal is not None or settings.thousands is not None:
        decimal = settings.decimal or ("," if settings.thousands == "." else ".")
        if settings.thousands is not None:
            thousands = settings.thousands
        elif doubt and decimal not in doubt:  # the mark that it is not
            thousands = "," if "," in doubt else "."
        elif thousands == decimal:
            thousands = ""
    found = Dialect(
        tuple(columns), separator, decimal, thousands, encoding, header, skip,
        any(i > skip for i in comments),
    )  # fmt: skip
    _say(path, found, lines[:skip], bool(stated))
    return found


def _head(path: Path) -> tuple[bytes, bool]:
    """Return the first bytes of a file, at least a line of them, and whether they are all."""
    with open_bytes(path, binary=True) as file:
        head = b""
        while len(head) < HEAD or (head.count(b"\n") < 2 and len(head) < LONGEST_LINE):
            block = file.read(HEAD)
            if not block:
                return head, True
            head += block
    return head, False


def _encoding(path: Path, head: bytes) -> str:
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF32_BE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if head.startswith(mark):
            return name
    if b"\0" in head:
        odd, even = head[1::2].count(0), head[::2].count(0)
        if max(odd, even) * 3 > len(head) // 2 > 0 == min(odd, even):
            return "utf-16-le" if odd else "utf-16-be"
        hint = "Save it as text; binary files are none."
        raise DataError(explain(str(path), "the file", "text", "NUL bytes", hint))
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError as error:
        if re.search(rb"[\x01-\x08\x0e-\x1f\x7f]", head):
            got = f"byte {head[error.start]:#x} and control characters"
            hint = "Save it as UTF-8, or name its encoding with data.encoding."
            raise DataError(explain(str(path), "the file", "UTF-8 text", got, hint)) from None
        undefined = re.search(rb"[\x81\x8d\x8f\x90\x9d]", head)
        return "latin-1" if undefined else "cp1252"
    return "utf-8"


def _separator(lines: list[str]) -> str:
    """Return what parts every line into the same number of cells, that of the header included."""
    best, best_rank = ",", (False, 0.0)
    for separator in SEPARATORS:
        counts = [len(row.cells) for row in _rows(lines, separator)]
        width, share = _width(counts)
        rank = (bool(counts) and counts[0] == width, round(share, 1))
        if width > 1 and share >= 0.8 and rank > best_rank:
            best, best_rank = separator, rank
    if best_rank == (False, 0.0):
        words = [line.split() for line in lines if line.strip()]
        # a date and a time of day with a space between them are one stamp
        stamps = all(len(row) == 2 and re.match(r"\d+:\d\d", row[1]) for row in words[1:])
        if len(words) > 2 and not stamps and {len(row) for row in words} == {max(2, len(words[0]))}:
            return SPACES
    return best


def _rows(lines: list[str], separator: str) -> list[_Line]:
    """Return the lines that are not blank in cells, with the number of the first of each."""
    if separator == SPACES:
        return [_Line(i, line.split()) for i, line in enumerate(lines) if line.strip()][:ROWS]
    csv.field_size_limit(2**31 - 1)
    reader = csv.reader(io.StringIO("\n".join(lines)), delimiter=separator)
    found, before = [], 0
    for cells in reader:
        if len(cells) > 1 or "".join(cells).strip():
            found.append(_Line(before, cells))
            if len(found) == ROWS:
                break
        before = reader.line_num
    return found


def _width(counts: list[int]) -> tuple[int, float]:
    """Return how many cells most lines have, and their share."""
    if not counts:
        return 0, 0.0
    [(width, times)] = Counter(counts[1:] or counts).most_common(1)
    return width, times / max(len(counts) - 1, 1)


def _beginning(
    rows: list[_Line], comments: list[_Line], given: bool | None
) -> tuple[list[_Line], bool, int, list[str]]:
    """Return the rows of data, whether they have a header, lines above it, and column names."""
    if not rows:
        return [], False, 0, []
    cells = [row.cells for row in rows]
    start, header = table_start(cells, given)
    first = rows[start]
    width = len(first.cells)
    above = [line for line in comments if line.number < first.number]
    if given is None and not header and width > 1 and above:
        names = [cell.strip().lstrip("# ") for cell in above[-1].cells]
        if len(names) == width and all(names) and not any(map(NUMBER.fullmatch, names)):
            return rows[start:], False, first.number, names  # the header is a comment
    names = [cell.strip() for cell in first.cells] if header else [""] * width
    columns = [name or f"column_{i}" for i, name in enumerate(names)]
    return rows[start + header :], header, first.number, columns


def table_start(rows: list[list[str]], given: bool | None = None) -> tuple[int, bool]:
    """Return the row in which a table begins, and whether that row names the columns.

    Lines above it have another number of cells, or only their first one filled: titles, a source.
    A row is a header unless it has numbers and dates in just the columns that have them below.
    Numbers that ascend from column to column, as they do nowhere below, are the names of steps.

    Parameters
    ----------
    rows : list of list of str
        The first rows of a file.
    given : bool, optional
        Whether there is a header, where that is known.

    Examples
    --------
    >>> table_start([["Sales"], ["date", "y"], ["2024-01-01", "5"], ["2024-01-02", "6"]])
    (1, True)
    >>> table_start([["2024-01-01", "5"], ["2024-01-02", "6"]])
    (0, False)
    """
    width, _ = _width([len(row) for row in rows])
    start = next((i for i, row in enumerate(rows) if len(row) == width), 0)
    if start and width > 2 and len(rows[0]) == width - 1 and all(
        _kind([cell.strip()]) for cell in rows[start]
    ):  # fmt: skip
        start = 0  # a header that lacks a name: the parser says so
    if len(rows[0]) > width:
        start = 0
    titled = start  # Excel fills up the line of a title with empty cells
    while titled + 1 < len(rows) and width > 1 and not any(map(str.strip, rows[titled][1:])):
        titled += 1
    if titled > start and all(map(str.strip, rows[titled])) and _is_header(rows[titled:]):
        start = titled
    return start, _is_header(rows[start:]) if given is None else given


def _is_header(rows: list[list[str]]) -> bool:
    first, below = [cell.strip() for cell in rows[0]], rows[1:ROWS]
    typed, numbers = 0, []
    for i, cell in enumerate(first):
        column = [row[i].strip() for row in below if i < len(row) and row[i].strip()]
        kind = _kind(column)
        if not kind or not cell:
            continue
        typed += 1
        if _kind([cell]) != kind:
            return True
        if kind == "number":
            numbers.append(cell)
    if not typed:
        one = [kind for cell in first if (kind := _kind([cell]))]
        return len(one) < len(first) or not (below or any("." in cell for cell in first))
    return bool(numbers) and _are_steps(numbers, [row[-len(numbers) :] for row in below[:10]])


def _are_steps(numbers: list[str], below: list[list[str]]) -> bool:
    """Whether numbers in the first line name steps: 0, 1, 2 ..., years, or what else ascends.

    As they would not by chance, and the lines below do not.
    """
    if all(_is_year(cell) for cell in numbers):
        return not any(all(map(_is_year, row)) for row in below)
    counted = [[str(first + i) for i in range(len(numbers))] for first in (0, 1)]
    if numbers[0].isdigit():
        goes_on = [str(int(numbers[0]) + i) for i in (1, 2)]
        if [row[0].strip() for row in below[:2] if row] == goes_on:
            return False  # the first line begins a count that goes on below it
    if numbers in counted and numbers != ["1"]:
        return len(numbers) < 3 or not below or not all(map(_ordered, below))
    # fewer numbers than six may be in order by chance
    return len(numbers) > 5 and _ordered(numbers) and not all(map(_ordered, below))


def _is_year(cell: str) -> bool:
    return bool(re.fullmatch(r"(19|20)\d\d", cell.strip()))


def _ordered(cells: list[str]) -> bool:
    """Whether numbers ascend or descend all along."""
    try:
        numbers = [float(cell.replace(",", ".")) for cell in cells]
    except ValueError:
        return False
    steps = [b - a for a, b in pairwise(numbers)]
    return all(step > 0 for step in steps) or all(step < 0 for step in steps)


def _kind(cells: list[str]) -> str:
    """Return "number" or "date" where nearly all cells are that, else ""."""
    if not cells:
        return ""
    cells = cells[:50]
    if 10 * sum(bool(NUMBER.fullmatch(cell)) for cell in cells) >= 9 * len(cells):
        return "number"
    return "date" if is_date_text(cells) else ""


def _say(path: Path, found: Dialect, above: list[str], stated: bool) -> None:
    """Log what is not the plain form."""
    words = []
    if found.separator != ",":
        words.append(f"cells parted by {NAMES.get(found.separator, repr(found.separator))}")
    if found.decimal != ".":
        words.append("decimal commas" if found.decimal == "," else f"decimals {found.decimal!r}")
    if found.thousands:
        words.append(f"thousands parted by {found.thousands!r}")
    if found.encoding not in ("utf-8", "utf-8-sig"):
        words.append(f"encoding {found.encoding}")
    if not found.header:
        words.append(f"no header: columns {', '.join(found.columns[:4])}" + (
            ", ..." if len(found.columns) > 4 else ""))  # fmt: skip
    cells = [line.strip().strip(found.separator).strip() for line in above[stated:]]
    titles = [text for text in cells if text and text[0] != "#"]
    if titles:
        text = titles[0]
        many = f"{len(titles)} lines" if len(titles) > 1 else "the line"
        words.append(f"{many} above the table left out ({text[:40]!r})")
    if found.comments or any(line[:1] == "#" for line in above):
        words.append("comment lines (#) left out")
    if words:
        log.info("%s: read with %s", path, "; ".join(words))
