"""The sections of a recipe that say where the data comes from, how it is read and divided.

As in :mod:`seqkit.recipe.sections`, every field stands once, with its type, default and meaning.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Interval, Lt, MaxLen, MinLen
from pydantic import AfterValidator, Field, StringConstraints

from seqkit import stopping
from seqkit.data.embedded import DATASETS
from seqkit.network.settings import Auto
from seqkit.recipe.types import (
    MILLION,
    Column,
    Columns,
    File,
    Files,
    Fraction,
    Label,
    OneOf,
    Probability,
    Section,
    Switch,
    Target,
    Words,
    distinct,
    listing,
    setting,
)

__all__ = [
    "CALENDAR",
    "DATE_NUMBERS",
    "ClassificationData",
    "DataSection",
    "ForecastingData",
    "ForecastingSplit",
    "SequenceData",
    "SequenceSplit",
]

CALENDAR = (
    "minute",
    "hour",
    "weekday",
    "day",
    "week",
    "month",
    "quarter",
    "year_day",
)
# What a number may be a date by: the names of seqkit.data.dates.NUMBER_FORMS, which needs NumPy.
DATE_NUMBERS = (
    "yyyymmdd", "yyyymm", "yyyymmddhh", "yyyymmddhhmm", "year", "excel", "unix_seconds",
    "unix_milliseconds", "unix_microseconds", "unix_nanoseconds",
)  # fmt: skip

Tail = Annotated[int, Interval(ge=0, le=1000 * MILLION)] | Annotated[float, Interval(ge=0), Lt(1)]
SomeTail = Annotated[int, Interval(ge=1, le=1000 * MILLION)] | Probability
TAIL_WORDS = Words("a number of time steps or a fraction below 1")


def _or_refit(share: Any, some: Any, words: str) -> Any:
    """Return the type of a share to hold back, or auto, or refit with or without a share."""
    again = Literal["refit"] | Annotated[dict[Literal["refit"], some], MinLen(1)]
    return Annotated[share | Auto | again, Words(f"{words}, auto, refit or {{refit: 0.2}}")]


REFIT = (
    "refit = once training has stopped, train anew on all for as many epochs, with the schedule "
    "run to its end; {refit: 0.2} says how much is held back meanwhile, else "
    f"{stopping.SHARE}; with fewer than {stopping.FEWEST_HELD} {{what}} in it nothing is held back."
)
Text = Annotated[str, MinLen(1), MaxLen(100), Words("a short text")]
Missing = Annotated[str, OneOf(("error", "interpolate", "indicator"))]


def _none(description: str) -> Any:
    """Return a field whose default is an empty list."""
    return Field(default_factory=list, description=description)


Holiday = Annotated[
    str,
    StringConstraints(pattern=r"^holiday:[A-Z]{2}(-[A-Z0-9]{1,6})?$"),
    Words("holiday: and a country's two letters"),
]
CalendarFeatures = Annotated[
    list[Annotated[str, OneOf(CALENDAR)] | Holiday],
    AfterValidator(distinct),
    Words(f"a list of names out of {listing(CALENDAR, 'and')}, and holidays such as holiday:DE"),
]


class SequenceSplit(Section):
    """How the series are divided into training, validation and test parts."""

    method: Annotated[str, OneOf(("random", "group", "time"))] = setting(
        "random",
        "How series are assigned: at random, whole groups together, or the latest ones last.",
    )
    validation: _or_refit(  # type: ignore[valid-type]
        Fraction, Probability, "a fraction from 0 to below 1"
    ) = setting(
        "auto",
        "Fraction of the training series held back for early stopping. 0 = none; auto = "
        f"{stopping.SHARE} if that is {stopping.FEWEST_SPARED} series or more and "
        f"{stopping.FEWEST_OF_A_CLASS} of every class, or if patience is set; else 0; "
        + REFIT.replace("{what}", "series"),
    )
    test: Fraction | None = setting(
        None,
        "Fraction of the series held back for the scores. Default: 0.2, or none where the test "
        "part is given: by test_path, by the embedded set or by the file itself.",
    )


class ClassificationSplit(SequenceSplit):
    """How the series are divided into training, validation and test parts."""

    method: Annotated[str, OneOf(("stratified", "random", "group", "time"))] = setting(
        "stratified",
        "How series are assigned: every class in the same proportion, at random, whole groups "
        "together, or the latest ones last.",
    )


class ForecastingSplit(Section):
    """How much of the end of every series is kept for validation and test."""

    method: Literal["time"] = setting(
        "time", "Forecasting splits in time: the end of every series is the test part."
    )
    validation: _or_refit(Tail, SomeTail, TAIL_WORDS.phrase) = setting(  # type: ignore[valid-type]
        "auto",
        "End of every series, before a test part, held back for early stopping: a number of time "
        f"steps, or a fraction of each series. 0 = none; auto = {stopping.SHARE} if patience is "
        "set, else 0, since the end of a series is missed in training; "
        + REFIT.replace("{what}", "windows"),
    )
    test: Annotated[Tail, TAIL_WORDS] | None = setting(
        None,
        "Tail of every series held back for the scores, as validation. Default: what the "
        "backtest needs.",
    )


class DataSection(Section):
    """Where the data comes from and which columns mean what."""

    path: Files | None = setting(
        None,
        "File to read, by its ending, a glob over several, a URL (needs fsspec), or a list of "
        "them. Looked for beside the recipe first, then in the working folder.",
    )
    dataset: Annotated[str, OneOf(DATASETS)] | None = setting(
        None, "Embedded data set instead of path; `seqkit list datasets` names them."
    )
    target: Target | None = setting(
        None,
        "Column to learn; a list learns several together. Files that carry their own labels "
        "(.ts, .tsv) need none.",
    )
    separator: Text | None = setting(
        None, "What parts the cells of a text file. Default: found, and said if it is no comma."
    )
    decimal: Literal[".", ","] | None = setting(
        None, "Decimal mark of a text file. Default: found, and said if it is a comma."
    )
    thousands: Text | None = setting(
        None, "Mark between thousands of a text file. Default: found, and said."
    )
    encoding: Text | None = setting(
        None, "Encoding of a text file. Default: found, and said if it is not UTF-8."
    )
    header: Switch | None = setting(
        None,
        "Whether a table's first line names its columns; else they are column_0, column_1, ... "
        "Default: found, and said if there is none.",
    )
    sheet: Text | None = setting(
        None, "Sheet of a workbook. Default: the first that holds anything."
    )
    series_id: Column | None = setting(
        None,
        "Column that tells which series a row belongs to; for forecasting, default "
        "`unique_id` where there is one.",
    )
    time: Target | None = setting(
        None,
        "Column of time stamps, or a list of those that make one: a date and a time of day, a "
        "year and a month or quarter. For forecasting, default `ds`, or the only column of dates.",
    )
    date_format: Text | None = setting(
        None,
        "How the stamps are written, as strptime says it (%d.%m.%Y), or one of "
        f"{', '.join(DATE_NUMBERS)}. Default: found, and said.",
    )
    day_first: Switch | None = setting(
        None, "Whether 01/02/2024 is the first of February. Default: what makes stamps regular."
    )
    time_zone: Text | None = setting(
        None,
        "Whose clock stamps without an offset are of, as Europe/Berlin: hours stay regular when "
        "it changes. Default: taken as they stand.",
    )
    sort: Switch = setting(False, "Bring rows into the order of time; else they must be in it.")
    missing_values: Annotated[list[Label], MaxLen(100)] = _none(
        "Values that stand for missing ones besides empty cells and NA, such as -999."
    )
    missing: Missing = setting(
        "error",
        "What becomes of missing values: an error, linear interpolation within the series, or "
        "the last value and one more feature a channel that marks the gap.",
    )


class LabelTable(Section):
    """A table of the labels of files."""

    table: File = setting(..., "Table with a row a file.")
    file: Column = setting("file", "Its column of file names, with or without folders and ending.")
    label: Column = setting("label", "Its column of labels.")


class LabelPattern(Section):
    """A part of a file's path that is its label."""

    regex: Annotated[str, MinLen(1), MaxLen(1000), Words("a regular expression")] = setting(
        ..., "Its first group, found in the path, is the label, as in walk_(\\w+)_\\d+."
    )


class SequenceData(DataSection):
    """Where the data comes from and which columns mean what."""

    label_from: Literal["folder", "file"] | LabelPattern | LabelTable | None = setting(
        None,
        "Where the label of a file stands that holds one series, instead of target: its folder's "
        "name, its own name, {regex: ...} of its path, or {table: labels.csv, file: ..., "
        "label: ...}.",
    )

    test_path: Files | None = setting(
        None, "File, glob, URL or list of the test part, instead of split.test."
    )
    layout: Literal["long", "wide"] | None = setting(
        None,
        "For tables: long has one row a time step, wide one row a series. Default: "
        "long with series_id, wide without.",
    )
    features: Annotated[Columns, MinLen(1)] | None = setting(
        None, "Columns of values. Default: every numeric column left over."
    )
    group: Column | None = setting(
        None, "Column whose values stay together in one part; for split.method: group."
    )
    split: SequenceSplit = Field(
        default_factory=SequenceSplit, description="Training, validation and test parts."
    )


class ClassificationData(SequenceData):
    """Where the data comes from and which columns mean what."""

    target: Column | None = setting(
        None, "Column of the class label. Files that carry their own labels (.ts, .tsv) need none."
    )
    split: ClassificationSplit = Field(
        default_factory=ClassificationSplit, description="Training, validation and test parts."
    )


class ForecastingData(DataSection):
    """Where the data comes from and which columns mean what."""

    target: Target | None = setting(
        None,
        "Column to forecast; a list forecasts several together. Default: `y`, or the only "
        "numeric column left over.",
    )
    layout: Literal["long", "columns", "files"] = setting(
        "long",
        "long has one row a time step; columns has one column a series, named as the column is: "
        "series_id and target are then `unique_id` and `y`; files has one file a series, named as "
        "the file is: series_id is then `unique_id`.",
    )
    frequency: (
        Annotated[str, MinLen(1), MaxLen(100), Words("a pandas frequency such as h, D or MS")]
        | None
    ) = setting(None, "Step between time stamps, as pandas writes it. Default: inferred, and said.")
    past_covariates: Columns = _none("Columns known up to now only.")
    future_covariates: Columns = _none(
        "Columns known over the horizon too; asked for when forecasting."
    )
    static_covariates: Columns = _none("Columns with one value a series; text is embedded.")
    calendar: CalendarFeatures = _none(
        "Parts of the time stamp given to the model as sine and cosine; and holiday:DE, "
        "holiday:DE-BY for the public holidays of a country or a part of it, 1 on the day and on "
        "the day before (needs the package holidays)."
    )
    split: ForecastingSplit = Field(
        default_factory=ForecastingSplit, description="Training, validation and test parts."
    )
