"""The text formats of the UCR/UEA archive: `.ts` and `.tsv`, plain or gzipped.

`.ts`: comment lines start with ``#``, directives with ``@``, and after ``@data`` comes one series
a line, channels parted by ``:``, values by ``,``, the label last. `.tsv`: one series a line, the
label first, then one value a step, parted by tabs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seqkit.data.files import check_columns, check_names, open_text
from seqkit.data.sequences import Sequences
from seqkit.errors import DataError, explain, suggest

__all__ = ["Read", "check_utf8", "default_names", "lines_of", "read_ts", "read_tsv"]

log = logging.getLogger(__name__)

DIRECTIVES = (
    "classlabel",
    "data",
    "dimension",
    "dimensions",
    "equallength",
    "missing",
    "problemname",
    "serieslength",
    "targetlabel",
    "timestamps",
    "univariate",
)


class Read(NamedTuple):
    """What a reader returns.

    Attributes
    ----------
    sequences : Sequences
    locate : callable
        ``locate(series, step)`` says where a value stands, as "FILE:LINE", for errors.
    """

    sequences: Sequences
    locate: Callable[[int, int], str]


def default_names(n_features: int) -> tuple[str, ...]:
    """Return the names of channels that a file does not name.

    Examples
    --------
    >>> default_names(1), default_names(2)
    (('value',), ('channel_0', 'channel_1'))
    """
    return ("value",) if n_features == 1 else tuple(f"channel_{i}" for i in range(n_features))


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """Yield number (from 1) and text of each line that is not blank.

    Raises
    ------
    DataError
        A file that is no text in UTF-8, a damaged gzip file, or one that unpacks to too much.
    """
    with open_text(path) as file:
        for number, text in enumerate(file, start=1):
            if text := text.strip("\r\n "):
                # comments of the archives are in many encodings; all else must be UTF-8
                if not text.isascii() and not text.startswith("#"):
                    check_utf8(text, f"{path}:{number}")
                yield number, text


def check_utf8(text: str, where: str) -> None:
    """Raise where a text holds bytes that are no UTF-8, which were read as lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        got = ascii(text[error.start : error.end])
        hint = "Save the file as UTF-8."
        raise DataError(explain(where, "the line", "UTF-8 text", got, hint)) from None


def read_ts(path: Path) -> Read:
    """Read a `.ts` file.

    ``?`` and ``NaN`` are missing values. Labels are the text they are; numbers after
    ``@targetLabel true`` become float64.

    Parameters
    ----------
    path : Path

    Raises
    ------
    DataError
        With file and line: a directive or a value that cannot be understood, another number of
        channels than the first series has, channels of unequal length, a label the header does
        not list, or the promise of equal lengths not kept.
    """
    header: dict[str, str] = {}
    labels: list[str] | None = None
    targets: list[Any] = []
    series: list[np.ndarray] = []
    numbers: list[int] = []
    data_begun = False
    for number, text in lines_of(path):
        where = f"{path}:{number}"
        if text.startswith("#"):
            continue
        if not data_begun:
            name, _, value = text.partition(" ")
            key = name[1:].lower()
            if not text.startswith("@"):
                expected = "a directive (@...) or a comment (#...) before @data"
                raise DataError(explain(where, "the line", expected, text[:40]))
            if key not in DIRECTIVES:
                log.warning("%s: unknown directive %s is not used. %s", where, name,
                            suggest(key, DIRECTIVES))  # fmt: skip
            header[key] = value.strip()
            data_begun = key == "data"
            if data_begun:
                labels = _labels(header, where)
            continue
        *channels, target = text.split(":") if labels is not None else (*text.split(":"), "")
        if not channels:
            expected = "channels and a label, parted by ':', as the header says"
            raise DataError(explain(where, "the line", expected, text[:40]))
        array = _channels(channels, where)
        _check_shape(array, series, header, where)
        series.append(array)
        numbers.append(number)
        targets.append(_target(target, labels, where))
    if not data_begun:
        raise DataError(explain(str(path), "the file", "a header that ends in @data", header))
    if not series:
        raise DataError(explain(str(path), "the number of series after @data", "at least 1", 0))
    y = None
    if labels is not None:
        y = np.array(targets) if labels else np.array(targets, dtype=np.float64)
    return Read(_joined(path, series, y), lambda i, step: f"{path}:{numbers[i]}")


def _labels(header: dict[str, str], where: str) -> list[str] | None:
    """Return the class labels of the header, [] for numeric targets, None for neither."""
    if header.get("timestamps", "false").lower() == "true":
        raise DataError(
            explain(where, "@timeStamps", "false", "true", "Write the values alone, or a long .csv "
                    "with a column of time stamps.")
        )  # fmt: skip
    classes = header.get("classlabel", "false").split()
    numeric = header.get("targetlabel", "false").lower().startswith("true")
    if classes and classes[0].lower() == "true":
        if numeric:
            raise DataError(explain(where, "the header", "of classes or of numbers", "both"))
        if len(classes) < 2:
            raise DataError(explain(where, "@classLabel true", "followed by the labels", "none"))
        return classes[1:]
    return [] if numeric else None


def _channels(channels: list[str], where: str) -> np.ndarray:
    """Return one series (n_timesteps, n_features) from the text of its channels."""
    check_columns(where, len(channels))
    try:
        rows = [list(map(_number, channel.split(","))) for channel in channels]
    except ValueError as error:
        hint = "Missing values are written ? or NaN."
        raise DataError(explain(where, "every value", "a number", str(error), hint)) from None
    lengths = [len(row) for row in rows]
    if len(set(lengths)) > 1:
        raise DataError(explain(where, "the channels", "of one length", lengths[:12]))
    return np.array(rows).T


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        if text.strip() == "?":
            return np.nan
        raise ValueError(text.strip()) from None


def _check_shape(
    array: np.ndarray, series: list[np.ndarray], header: dict[str, str], where: str
) -> None:
    """Compare one series with the header and with the first series."""
    stated = header.get("dimensions") or header.get("dimension")
    if stated is None and header.get("univariate", "").lower() == "true":
        stated = "1"
    if (stated is None or not stated.isdigit()) and series:
        stated = str(series[0].shape[1])
    if stated is not None and stated.isdigit() and array.shape[1] != int(stated):
        expected = f"{stated} in every series"
        hint = (
            "Is the label missing, or does @classLabel or @targetLabel not say that there is one?"
        )
        raise DataError(explain(where, "the number of channels", expected, array.shape[1], hint))
    if header.get("equallength", "").lower() == "true":
        length = header.get("serieslength", "")
        length = length if length.isdigit() else str(len(series[0] if series else array))
        if len(array) != int(length):
            expected = f"{length} steps long, as @equalLength and @seriesLength say"
            raise DataError(explain(where, "every series", expected, len(array)))


def _target(text: str, labels: list[str] | None, where: str) -> Any:
    if labels is None:
        return None
    check_names([text], where, "the label")
    if labels:
        if text not in labels:
            expected = "one of those @classLabel lists"
            raise DataError(explain(where, "the label", expected, text, suggest(text, labels)))
        return text
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise DataError(explain(where, "the target", "a finite number", text))
    return value


def read_tsv(path: Path) -> Read:
    """Read a `.tsv` file of the UCR archive: label first, then one value a step.

    NaN at the end of a line is padding: the series is shorter. NaN elsewhere is a missing value.
    Labels are the text they are.

    Parameters
    ----------
    path : Path

    Raises
    ------
    DataError
        With file and line: a value that is no number, or a series without a value.
    """
    series, labels, numbers = [], [], []
    for number, text in lines_of(path):
        where = f"{path}:{number}"
        label, *values = text.split("\t")
        if not values:
            expected = "a label and values, parted by tabs"
            raise DataError(explain(where, "the line", expected, text[:40]))
        array = _channels(["\t".join(values).replace("\t", ",")], where)
        series.append(without_padding(array, where))
        check_names([label], where, "the label")
        labels.append(label.strip())
        numbers.append(number)
    if not series:
        raise DataError(explain(str(path), "the number of series", "at least 1", 0))
    return Read(_joined(path, series, np.array(labels)), lambda i, step: f"{path}:{numbers[i]}")


def without_padding(array: np.ndarray, where: str) -> np.ndarray:
    """Return a series (n_timesteps, n_features) without the steps of NaN at its end.

    Raises
    ------
    DataError
        Nothing would be left.
    """
    known = np.flatnonzero(~np.isnan(array).all(axis=1))
    if not known.size:
        raise DataError(explain(where, "the series", "of at least one value", "only NaN"))
    return array[: known[-1] + 1]


def _joined(path: Path, series: list[np.ndarray], y: np.ndarray | None) -> Sequences:
    lengths = [len(array) for array in series]
    names = default_names(series[0].shape[1])
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return Sequences(np.concatenate(series), offsets, names, y=y)
