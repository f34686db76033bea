"""What several files are together: a folder a class, labels in names or in a table, or one table.

Used by :mod:`seqkit.data.inspect` only; a recipe states what it uses.
"""

from __future__ import annotations

import contextlib
import glob
import itertools
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from seqkit.data.dialect import ReadSettings
from seqkit.data.files import LIMITS
from seqkit.data.guesses import TARGET_NAMES, name_rank
from seqkit.data.layouts import labels_of_files, name_series
from seqkit.data.numbers import floats
from seqkit.data.paths import find_files, is_url
from seqkit.data.readers import READERS, reader_of
from seqkit.data.tables import Table, read_table
from seqkit.errors import DataError, explain

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FileSet", "find_set", "joined_table", "named_by_file"]

LABEL_TABLES = re.compile(r"label|class|meta|annotation|reference|target", re.IGNORECASE)
PARTS = re.compile(r"(train(?:ing)?|test(?:ing)?)", re.IGNORECASE)
PIECE = re.compile(r"[^\W\d_]+|\d+|[\W_]+")
MOST_LABELS = 20  # that whole numbers may be
MOST_LISTED = 200  # files that a recipe names one by one


@dataclass(frozen=True)
class FileSet:
    """Files, as a recipe names them.

    Attributes
    ----------
    path : str or list of str
        A file, a pattern or a list.
    files : list of Path
    label_from : str, dict or None
        Where the labels of files of one series each stand, as `data.label_from` says it.
    reason : str
        Why, of `label_from`.
    test_path : str or None
    """

    path: str | list[str]
    files: list[Path]
    label_from: str | dict[str, str] | None = None
    reason: str = ""
    test_path: str | None = None


def find_set(data: str, labelled: bool = True) -> FileSet:
    """Look at a file, a folder or a pattern, and say what its files are together.

    Parameters
    ----------
    data : str
    labelled : bool, default=True
        Whether labels may stand beside the series: not where a target is named.

    Raises
    ------
    DataError
        No such file; a folder that holds none, or files of several kinds.
    """
    path: str | list[str]
    if is_url(data) or not os.path.isdir(data):
        files, path = find_files(data), data
    else:
        files, path = _in_folder(data), ""
    pair = _train_and_test(files)
    if pair is not None:
        return FileSet(pair, [Path(pair)])
    if len(files) == 1:
        return FileSet(path or str(files[0]), files)
    test_path = None
    if not path:
        files, test_path = _parts(files, data)
    found = _labels(files, data) if labelled and not _hold_labels(files) else None
    series, label_from, reason = found or (files, None, "")
    if not path or len(series) < len(files):  # a table of labels is no series
        path = _pattern(series, data)
    return FileSet(path, series, label_from, reason, test_path)


def _in_folder(folder: str) -> list[Path]:
    """Return the files in a folder and below it that can be read, of one kind."""
    most = LIMITS["files"].value
    found: dict[str, list[Path]] = {}
    others: Counter[str] = Counter()
    walked = (
        Path(root, name)
        for root, _, names in sorted(os.walk(folder))
        for name in sorted(names)
        if not name.startswith(".")
    )
    for path in itertools.islice(walked, most + 1):
        try:
            found.setdefault(reader_of(path).ending, []).append(path)
        except DataError:
            others[path.suffix or path.name] += 1
    if sum(map(len, found.values())) > most:
        raise DataError(explain(folder, "the folder", f"of at most {most:,} files", "more"))
    if not found:
        expected = "one that holds files that can be read: " + ", ".join(READERS)
        raise DataError(explain(folder, "the folder", expected, dict(others.most_common(5))))
    if len(found) > 1:
        got = ", ".join(f"{len(paths)} {ending}" for ending, paths in found.items())
        hint = f"Name a pattern: {os.path.join(folder, '**', '*' + next(iter(found)))}"
        raise DataError(explain(folder, "the folder", "of files of one kind", got, hint))
    return next(iter(found.values()))


def _train_and_test(files: list[Path]) -> str | None:
    """Return the first of two files that are named as the parts of one set."""
    if len(files) != 2:
        return None
    same = {PARTS.sub("", file.name) for file in files}
    train = [file for file in files if re.search("train", file.name, re.IGNORECASE)]
    return str(train[0]) if len(same) == 1 and len(train) == 1 else None


def _parts(files: list[Path], folder: str) -> tuple[list[Path], str | None]:
    """Return the training files, and the pattern of the others, where two folders say so."""
    tops: dict[str, list[Path]] = {}
    for file in files:
        tops.setdefault(file.relative_to(folder).parts[0], []).append(file)
    names = {name.lower()[:4]: name for name in tops if PARTS.fullmatch(name)}
    if len(tops) != 2 or set(names) != {"trai", "test"}:
        return files, None
    test = tops[names["test"]]
    return tops[names["trai"]], _pattern(test, os.path.join(folder, names["test"]))  # type: ignore[return-value]


def _pattern(files: list[Path], folder: str) -> str | list[str]:
    """Return the pattern of just these files; a list of them where there is none."""
    whole = {str(file) for file in files}
    root = os.path.commonpath([file.parent for file in files])
    depths = {len(file.relative_to(root).parts) for file in files}
    ending = reader_of(files[0]).ending
    names = [file.name for file in files]
    pairs = zip(min(names), max(names), strict=False)
    prefix = "".join(a for a, _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
    prefix = re.sub(r"\d+$", "", prefix.removesuffix(ending))
    for start in ("", prefix):
        below = [["*"] * (depth - 1) for depth in depths]
        folders = below[0] if len(depths) == 1 else ["**"]
        pattern = os.path.join(glob.escape(root), *folders, f"{glob.escape(start)}*{ending}")
        if set(glob.glob(pattern, recursive=True)) == whole:
            return pattern
    if len(files) > MOST_LISTED:
        hint = "Put them into a folder of their own."
        raise DataError(
            explain(folder, "the files", "all that a pattern finds", f"{len(files)} of more", hint)
        )
    return sorted(whole)


# labels ---------------------------------------------------------------------------------------


def _hold_labels(files: list[Path]) -> bool:
    """Whether files say labels themselves: they are no tables, or a column of them looks like it.

    A column called ``y`` may be an axis: one of text, or of a few whole numbers, is no axis.
    """
    if not reader_of(files[0]).frame:
        return True
    table = next(_label_tables(files), None)
    frame = read_table(next(file for file in files if file != table)).frame
    for name in frame.columns:
        if name_rank(name, TARGET_NAMES) is not None:
            numbers = floats(frame[name].dropna())
            whole = not numbers.isna().any() and bool((numbers % 1 == 0).all())
            if numbers.isna().any() or (whole and numbers.nunique() <= MOST_LABELS):
                return True
    return False


def _labels(files: list[Path], folder: str) -> tuple[list[Path], str | dict[str, str], str] | None:
    """Return the files of one series each, where their labels stand, and why."""
    for table in _label_tables(files):
        rest = [file for file in files if file != table]
        if (names := _in_table(table, rest)) is not None:
            said = f"{table.name} has a row for each of {len(rest)} files"
            return rest, {"table": str(table), **names}, said
    folders = Counter(file.parent for file in files)
    if len(folders) > 1 and _are_classes(list(folders.values())):
        shown = ", ".join(sorted(path.name for path in folders)[:3])
        return files, "folder", f"{len(folders)} folders, as classes: {shown}"
    return _in_names(files)


def _are_classes(counts: Sequence[int]) -> bool:
    """Whether so many files each can be those of classes: two or more on average."""
    return len(counts) > 1 and 2 * len(counts) <= sum(counts)


def _label_tables(files: list[Path]) -> Iterator[Path]:
    top = min(len(file.parts) for file in files)
    for file in files:
        if len(file.parts) == top and LABEL_TABLES.search(file.name.split(".")[0]):
            yield file


def _in_table(table: Path, files: list[Path]) -> dict[str, str] | None:
    """Return the columns of a table that name the files, and their labels."""
    with contextlib.suppress(DataError):
        frame = read_table(table).frame
        for name in frame.columns:
            others = [c for c in frame.columns if c != name]
            ranks = [name_rank(c, TARGET_NAMES) for c in others]
            named = [c for c, rank in zip(others, ranks, strict=True) if rank is not None]
            if not others:
                continue
            columns = {"file": str(name), "label": str((named or others)[-1])}
            with contextlib.suppress(DataError):
                labels_of_files(files, {"table": str(table), **columns}, frame)
                return columns
    return None


def _in_names(files: list[Path]) -> tuple[list[Path], dict[str, str], str] | None:
    """Return the pattern that finds labels in the names of files."""
    pieces = [PIECE.findall(file.name.split(".")[0]) for file in files]
    shapes = {tuple(map(_kind, row)) for row in pieces}
    least = min(map(len, shapes))
    shared = next(k for k in range(least, -1, -1) if len({shape[:k] for shape in shapes}) == 1)
    found = []
    for k, kind in enumerate(next(iter(shapes))[:shared]):
        column = [row[k] for row in pieces]
        counts = Counter(column)
        if kind == "word" and _are_classes(list(counts.values())):
            found.append((len(counts), k, counts))
    if not found:
        return None
    _, k, counts = min(found, key=lambda item: item[:2])
    before = "".join(
        re.escape(pieces[0][i]) if len({row[i] for row in pieces}) == 1 or kind.startswith("mark")
        else {"word": r"[^\W\d_]+", "number": r"\d+"}[kind]
        for i, kind in enumerate(next(iter(shapes))[:k])
    )  # fmt: skip
    regex = rf"(?:^|/){before}([^\W\d_]+)[^/]*$"
    with contextlib.suppress(DataError):
        if labels_of_files(files, {"regex": regex}) == [row[k] for row in pieces]:
            shown = ", ".join(sorted(counts)[:3])
            more = f"; {len(found) - 1} other parts could be, too" if len(found) > 1 else ""
            return files, {"regex": regex}, f"names of files hold {shown}{more}"
    return None


def _kind(piece: str) -> str:
    if piece[0].isdigit():
        return "number"
    return "word" if piece[0].isalpha() else f"mark {piece}"


def joined_table(found: FileSet, settings: ReadSettings | None = None) -> Table:
    """Return the table that one file holds, or several together."""
    import pandas as pd

    tables = [read_table(file, settings=settings) for file in found.files]
    first = tables[0]
    for table in tables[1:]:
        if list(table.frame.columns) != list(first.frame.columns):
            expected = f"those of {first.path}, {list(first.frame.columns)[:12]}"
            got = list(table.frame.columns)[:12]
            raise DataError(explain(str(table.path), "columns", expected, got,
                                    "Name files of one kind, as a pattern."))  # fmt: skip
    if len(tables) == 1:
        return first
    frame = pd.concat([t.frame for t in tables], ignore_index=True)
    ends = [0, *itertools.accumulate(len(t.frame) for t in tables)]
    frame.attrs["rows"] = [slice(*pair) for pair in itertools.pairwise(ends)]
    return replace(first, frame=frame)


def named_by_file(found: FileSet, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the joined table with the name of the file as the column that tells series apart."""
    import pandas as pd

    parts = []
    for file, rows in zip(found.files, frame.attrs["rows"], strict=True):
        parts.append(frame.iloc[rows].copy())
        parts[-1].attrs = {}
        name_series(parts[-1], file, found.files)
    whole: pd.DataFrame = pd.concat(parts, ignore_index=True)
    return whole
