"""What a data file seems to hold, and what the user says of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["DataSummary", "Wanted"]


@dataclass(frozen=True)
class DataSummary:
    """What a file seems to hold.

    Attributes
    ----------
    path : str or list of str
        As given; of a folder the pattern that finds its files.
    ending : str
        Row of `readers.READERS`.
    task : str or None
        "classification", "regression" or "forecasting"; None where there is nothing to learn.
    layout : {"long", "wide", "columns", "files"} or None
        None for formats that have one only.
    target, series_id, frequency : str or None
    time : str, tuple of str or None
        The column of stamps, or those that make one together.
    decimal : str or None
        The decimal mark, where the user named it.
    sort : bool
        Whether rows have to be brought into the order of time.
    files : tuple of Path
        Those that `path` stands for.
    label_from : str, dict or None
        Where the label of a file of one series stands, as `data.label_from` says it.
    features : tuple of str
        Numeric columns without another role (at most as many as the file has).
    text_columns : tuple of str
        Columns of text without another role.
    series_candidates : tuple of str
        Columns that could name the series, the best first.
    n_series, shortest, longest : int
        Number of series and their time steps.
    n_classes : int or None
        Distinct labels, for classification.
    smallest_class : int or None
        Series in the rarest class, for classification.
    n_missing : int
        Missing values among target and features.
    season, horizon, context_length : int or None
        For forecasting, in time steps.
    test_path : str or None
        A file beside this one that is named as its test part.
    reasons : dict of str to str
        Why, by attribute.
    notes : tuple of str
        What the user should check.
    """

    path: str | list[str]
    ending: str
    task: str | None
    layout: str | None
    features: tuple[str, ...]
    n_series: int
    shortest: int
    longest: int
    n_missing: int = 0
    target: str | None = None
    time: str | tuple[str, ...] | None = None
    series_id: str | None = None
    frequency: str | None = None
    text_columns: tuple[str, ...] = ()
    series_candidates: tuple[str, ...] = ()
    n_classes: int | None = None
    smallest_class: int | None = None
    season: int | None = None
    horizon: int | None = None
    context_length: int | None = None
    test_path: str | None = None
    reasons: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    decimal: str | None = None
    sort: bool = False
    files: tuple[Path, ...] = ()
    label_from: str | dict[str, str] | None = None


@dataclass(frozen=True)
class Wanted:
    """What the user says of a file, each in place of a guess.

    Attributes
    ----------
    target, time, series_id : str or None
        Columns.
    task : {"classification", "regression", "forecasting"} or None
    layout : {"long", "wide", "columns", "files"} or None
    season, horizon : int or None
        Of forecasting, in time steps.
    decimal : {".", ","} or None
        The decimal mark of a text file.
    """

    target: str | None = None
    time: str | None = None
    series_id: str | None = None
    task: str | None = None
    layout: str | None = None
    season: int | None = None
    horizon: int | None = None
    decimal: str | None = None

    @property
    def columns(self) -> dict[str, str]:
        """The columns that are named, by role."""
        roles = ("target", "time", "series_id")
        return {role: name for role in roles if (name := getattr(self, role)) is not None}
