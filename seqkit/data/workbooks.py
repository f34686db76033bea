"""Excel workbooks and lines of JSON become data frames, sizes bounded before memory is taken."""

from __future__ import annotations

import json
import logging
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqkit.data.dialect import ReadSettings, table_start
from seqkit.data.files import check_columns, check_unpacked, open_text, reading, sized
from seqkit.data.layouts import rows_of_entries, rows_of_lists
from seqkit.errors import DataError, explain, suggest

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["read_json_lines", "read_workbook"]

log = logging.getLogger(__name__)

CELL = 8  # bytes that a cell takes at least


def read_workbook(path: Path, settings: ReadSettings) -> pd.DataFrame:
    """Return the table of a sheet of an ``.xlsx`` file: the values, as Excel last computed them.

    Parameters
    ----------
    path : Path
    settings : ReadSettings
        `sheet` names the sheet; by default the first that holds anything.

    Raises
    ------
    DataError
        openpyxl is not installed; a damaged file, or one that unpacks to too much.
    """
    try:
        import openpyxl
    except ImportError:
        hint = "Install it with: pip install openpyxl; or save the sheet as .csv."
        raise DataError(
            explain(str(path), "openpyxl", "installed, to read Excel", None, hint)
        ) from None
    packed = sized(path).st_size
    # opened here, since openpyxl leaves a damaged file open
    expected = "an .xlsx workbook, without a password"
    with reading(path, expected), path.open("rb") as file, zipfile.ZipFile(file) as store:
        check_unpacked(path, packed, sum(member.file_size for member in store.infolist()))
        book = openpyxl.load_workbook(file, read_only=True, data_only=True)
        filled = {
            sheet.title: rows
            for sheet in book.worksheets
            if (settings.sheet in (None, sheet.title)) and (rows := _rows(sheet, path))
        }
        names = [sheet.title for sheet in book.worksheets]
    if not filled:
        if settings.sheet is not None:
            hint = suggest(settings.sheet, names)
            expected = "a sheet that holds a table: " + ", ".join(names[:12])
            raise DataError(explain(str(path), "sheet", expected, settings.sheet, hint))
        raise DataError(explain(str(path), "the file", "a table", "empty sheets"))
    name, rows = next(iter(filled.items()))
    if len(filled) > 1:
        log.warning("%s: sheet %r is read, and not %s: name one with data.sheet", path, name,
                    ", ".join(map(repr, list(filled)[1:5])))  # fmt: skip
    return _framed(path, rows, settings)


def _rows(sheet: Any, path: Path) -> list[tuple[Any, ...]]:
    """Return the rows of a sheet that hold anything, counted as they come.

    A row may claim 16,384 columns in forty bytes.
    """
    packed, cells, found = sized(path).st_size, 0, []
    sheet.reset_dimensions()
    for row in sheet.iter_rows(values_only=True):
        cells += len(row)
        if cells % 4096 < len(row):
            check_unpacked(path, packed, cells * CELL, what=f"sheet {sheet.title!r}")
        last = max((i + 1 for i, cell in enumerate(row) if cell not in (None, "")), default=0)
        if last:
            found.append(row[:last])
    return found


def _framed(path: Path, rows: list[tuple[Any, ...]], settings: ReadSettings) -> pd.DataFrame:
    """Make a frame of rows of cells, whose header is found as in text files."""
    import pandas as pd

    width = max(len(row) for row in rows[:1000])
    texts = [["" if cell is None else str(cell) for cell in row] for row in rows[:200]]
    # a row is as long as its last cell: one that ends in empty cells is no title
    head = [text + [""] * (width - len(text)) if 2 * len(text) > width else text for text in texts]
    start, header = table_start(head, settings.header)
    if start:
        many = f"{start} rows" if start > 1 else "the row"
        log.info("%s: %s above the table left out (%r)", path, many, texts[0][0][:40])
    width = max(len(row) for row in rows[start:])
    check_columns(str(path), width)
    names = head[start][:width] if header else []
    names += [""] * (width - len(names))
    table = [[*row, *[None] * (width - len(row))] for row in rows[start + header :]]
    columns = [name.strip() or f"column_{i}" for i, name in enumerate(names)]
    return pd.DataFrame(table, columns=columns, dtype=object).infer_objects()


def read_json_lines(path: Path, settings: ReadSettings) -> pd.DataFrame:
    """Return the table of a ``.jsonl`` file: an object a line, its keys the columns.

    Lines with lists are a series each, and become a row a step: as GluonTS writes them, with a list
    ``target`` and a ``start``, or with any lists of one length. Other objects are an error.

    Parameters
    ----------
    path : Path
    settings : ReadSettings
        `frequency` is that of GluonTS's entries.

    Raises
    ------
    DataError
        With file and line: what is no object of numbers, text and truth values.
    """
    import pandas as pd

    packed = sized(path).st_size
    rows: list[dict[str, Any]] = []
    places: list[str] = []
    columns: dict[str, None] = {}
    listed, entries = False, True
    with open_text(path) as file:
        for number, text in enumerate(file, start=1):
            if not text.strip():
                continue
            where = f"{path}:{number}"
            with reading(path, f"a JSON object in line {number}", ""):
                row = json.loads(text)
            if not isinstance(row, dict):
                raise DataError(explain(where, "the line", "a JSON object", text.strip()[:40]))
            entry = isinstance(row.get("target"), list) and "start" in row  # has keys of its own
            for key, value in row.items():
                if isinstance(value, dict) and not entry:
                    expected = "a number, text, true, false, null or a list"
                    raise DataError(explain(where, repr(key), expected, "an object"))
            entries = entries and entry
            listed = listed or any(isinstance(value, list) for value in row.values())
            columns.update(dict.fromkeys(row))
            rows.append(row)
            places.append(where)
            check_columns(str(path), len(columns))
            if len(rows) % 1024 == 0 or len(columns) > 1000:
                size = len(rows) * len(columns) * CELL
                check_unpacked(path, packed, size, what="the table")
    check_unpacked(path, packed, len(rows) * len(columns) * CELL, what="the table")
    if listed and entries:
        return rows_of_entries(rows, str(path), settings.frequency)
    if listed:

        def check(rows: int, columns: int) -> None:
            check_columns(str(path), columns)
            check_unpacked(path, packed, rows * columns * CELL, what="the table")

        return rows_of_lists(dict(zip(places, rows, strict=True)), check)
    with reading(path, "a table of JSON objects"):
        return pd.DataFrame(rows, columns=list(columns))
