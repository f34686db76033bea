"""Parsing of text tables, once their dialect is known."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from seqkit.data.dialect import Dialect, ReadSettings
from seqkit.data.files import open_bytes, open_text
from seqkit.data.numbers import NUMBER, plain_numbers
from seqkit.errors import DataError, explain

if TYPE_CHECKING:
    import pandas as pd

    from seqkit.data.roles import Roles

__all__ = ["clean", "codec", "read_csv"]

log = logging.getLogger(__name__)

# What pandas takes for missing, and the "?" of the archives.
MISSING_TEXT = ["", "?", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "-nan", "-NaN", "NULL", "null",
                "None", "<NA>"]  # fmt: skip


def codec(dialect: Dialect) -> str:
    """Return the encoding that opens a file: a mark at the beginning of UTF-8 is no text."""
    return "utf-8-sig" if dialect.encoding.lower() in ("utf-8", "utf8") else dialect.encoding


def read_csv(path: Path, dialect: Dialect, roles: Roles, settings: ReadSettings) -> pd.DataFrame:
    """Return the table of a text file as pandas parses it.

    Parameters
    ----------
    path : Path
    dialect : Dialect
    roles : Roles
        In columns of labels only empty cells are missing.
    settings : ReadSettings

    Raises
    ------
    DataError
        Lines of unequal length, bytes of another encoding.
    """
    import pandas as pd

    # From pandas 3.1 on the default is exact and the argument deprecated.
    exact: dict[str, Any] = {} if _version(pd) >= (3, 1) else {"float_precision": "round_trip"}
    columns = list(dialect.columns)
    others = [*MISSING_TEXT, *map(str, settings.missing_values)]
    missing = {c: [""] if c in roles.labels else others for c in columns}
    try:
        with _below(path, dialect) as file, warnings.catch_warnings():
            # A longer first row would lose its last cells with a mere warning.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            read: pd.DataFrame = pd.read_csv(
                file,
                sep=dialect.separator,
                decimal=dialect.decimal,
                encoding=codec(dialect),
                header=0 if dialect.header else None,
                comment="#" if dialect.comments else None,
                names=columns,
                index_col=False,
                keep_default_na=False,
                low_memory=False,
                na_values=missing,
                **exact,
            )
            return read
    except DataError:
        raise
    except Exception as error:  # a parser has no fixed list of what it raises
        text = str(error).replace("Error tokenizing data. C error: ", "").strip()
        hint = "Quote cells that hold the separator."
        if isinstance(error, pd.errors.ParserWarning):
            text = "more cells in the first row"
        elif isinstance(error, UnicodeDecodeError):
            hint = "Save the file as UTF-8, or name its encoding with data.encoding: cp1252."
        expected = f"{len(columns)} cells of {dialect.encoding.upper()} text in every line"
        raise DataError(explain(str(path), "the table", expected, text, hint)) from error


def _below(path: Path, dialect: Dialect) -> IO[Any]:
    """Open a text file where its table begins."""
    encoding = codec(dialect)
    if not dialect.skip:
        return open_bytes(path, binary=encoding.startswith(("utf-16", "utf-32")))
    # pandas counts the lines it skips in a way of its own where they end in carriage returns
    file = open_text(path, encoding=encoding)
    for _ in range(dialect.skip):
        next(file)
    return file


def _version(module: Any) -> tuple[int, ...]:
    return tuple(int(part) for part in module.__version__.split(".")[:2])


def clean(frame: pd.DataFrame, path: Path, dialect: Dialect, roles: Roles) -> None:
    """Make numbers of text such as ``1.234,5 €`` and ``12 %``, where a column is made of them."""
    import pandas as pd

    signs: dict[str, list[str]] = {}
    text = [pd.api.types.is_string_dtype(kind) for kind in frame.dtypes]
    for name in frame.columns[text]:
        column = frame[name]
        if name not in (*roles.labels, *roles.times):
            some = [str(cell).strip() for cell in column.dropna().head(50)]
            if 2 * sum(bool(NUMBER.fullmatch(cell)) for cell in some) > len(some):
                frame[name], sign = plain_numbers(
                    column, dialect.decimal, dialect.thousands, str(path)
                )
                if sign:
                    signs.setdefault(sign, []).append(name)
    for sign, names in signs.items():
        log.info("%s: %s was taken off the numbers of %s", path, sign, ", ".join(names))
