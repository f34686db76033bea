"""What a fit has left, as a table: which attributes there are, and what each must be.

An attribute that ends in an underscore and has no row here is not saved, and one in a run folder
that has no row is not loaded. A new one is a new row; a test reads the estimators.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from seqkit.auto_networks import COUNTED
from seqkit.convolutions import convolutions_of
from seqkit.data.stamps import CALENDAR, HOLIDAY
from seqkit.data.steps import NEXT
from seqkit.errors import explain
from seqkit.estimators.kinds import (
    FLAG,
    NUMBER,
    TEXT,
    Kind,
    array,
    either,
    integer,
    mapping,
    optional,
    record,
    series_of,
)
from seqkit.network.settings import PoolingName

__all__ = ["ELSEWHERE", "FACTS", "SEEN", "Fact", "check_facts", "check_together"]

ELSEWHERE = frozenset({"weights_", "_model_", "_state_", "_fitted_settings_"})
"""What is in the file of weights, made again, or of no use once a fit has ended."""


@dataclass(frozen=True)
class Fact:
    """A row of :data:`FACTS`.

    Attributes
    ----------
    kind : Kind
    always : bool, default=True
        Whether every fit leaves it.
    since : int, default=1
        Format of the run folders that have it first.
    """

    kind: Kind
    always: bool = True
    since: int = 1


_MISSING = ("error", "interpolate", "indicator")
_CURVES = mapping(series_of(NUMBER))
_NAMES = series_of(TEXT, tuple)
_TEXTS = series_of(TEXT)
_BEGUN = {
    "of": TEXT, "weights": TEXT, "taken": _TEXTS, "anew": mapping(TEXT), "frozen": _TEXTS,
}  # fmt: skip
_START = either(record(**_BEGUN), record(**_BEGUN, renamed=mapping(TEXT)))
_EVERY = {
    "history_": Fact(_CURVES),
    "n_iter_": Fact(integer()),
    "best_epoch_": Fact(integer()),
    "best_epochs_": Fact(series_of(integer()), always=False),
    "trainer_": Fact(TEXT),
    "stopped_histories_": Fact(series_of(_CURVES), always=False),
    "start_": Fact(_START, always=False),
    "_variable_length_": Fact(FLAG),
    "feature_names_in_": Fact(array("O"), always=False),
}
SEEN = optional(record(lengths=series_of(integer()), low=series_of(NUMBER), high=series_of(NUMBER)))
"""What ``seen`` of the module ``novelty`` keeps of the training part."""
_BY_NETWORK = Kind(
    "an integer, or a list of them",
    lambda value: integer().holds(value) or series_of(integer()).holds(value),
)


def _is_stem(value: Any) -> bool:
    try:
        return value is None or bool(convolutions_of("", "stem", value))
    except ValueError:
        return False


_STEM = Kind(
    "a map of convolutions, none, or a list of them",
    lambda value: all(map(_is_stem, value if isinstance(value, list) else [value])),
)
_AUTO = dict.fromkeys(("shift", "batch_size", "epochs", "patience"), integer()) | {
    **dict.fromkeys(COUNTED, _BY_NETWORK),
    "stem": _STEM,
    "validation": NUMBER,
    "piece_length": optional(integer(1)),
    "deviations": FLAG,
    "differences": either(FLAG, series_of(FLAG)),
    "calibrate": FLAG,
    "bidirectional": FLAG,
    "units": either(series_of(integer(1)), series_of(series_of(integer(1)))),
    "ensemble": integer(1),
    "moves": series_of(integer(-1_000_000)),
    "learning_rate": NUMBER,
    "mixup": NUMBER,
    "loss_goal": optional(NUMBER),
    "pooling": Kind("a pooling", lambda name: name in get_args(PoolingName)),
    **dict.fromkeys(("context_length", "horizon", "season"), integer(1)),
    "combine_with": Kind("none or theta", lambda name: name in ("none", "theta")),
}
_CHOSEN = Kind(
    "a map of settings that may be auto, each of its kind",
    lambda value: (
        isinstance(value, dict)
        and all(name in _AUTO and _AUTO[name].holds(inner) for name, inner in value.items())
    ),
)
_SERIES = {
    **_EVERY,
    "n_features_in_": Fact(integer(1)),
    "_n_steps_": Fact(optional(integer(1))),
    "_n_channels_": Fact(integer(1)),
    "_n_course_": Fact(integer(), always=False),
    "auto_": Fact(_CHOSEN, since=2),
    "histories_": Fact(series_of(_CURVES), always=False),
    "_sizes_": Fact(series_of(integer(1)), always=False),
}
_COLUMNS = record(
    targets=_NAMES,
    past=_NAMES,
    future=_NAMES,
    static=_NAMES,
    series_id=optional(TEXT),
    time=optional(TEXT),
    calendar=_NAMES,
    clock=optional(record(frequency=TEXT, zone=optional(TEXT), integer=FLAG)),
    missing=TEXT,
    categories=Kind(
        "pairs of a name and its known values",
        lambda value: (
            isinstance(value, tuple)
            and all(
                isinstance(pair, tuple)
                and len(pair) == 2
                and isinstance(pair[0], str)
                and _NAMES.holds(pair[1])
                for pair in value
            )
        ),
    ),
)
_LIBRARY = Kind("pandas, polars or pyarrow", lambda name: name in ("pandas", "polars", "pyarrow"))
_PLACES = series_of(integer(), tuple)
FACTS: dict[str, dict[str, Fact]] = {
    "classification": {
        **_SERIES,
        "classes_": Fact(array("UOiufb")),
        "_multilabel_": Fact(FLAG, always=False),
        "calibration_": Fact(NUMBER, always=False),
    },
    "tagging": {
        **_SERIES,
        "classes_": Fact(array("UOiufb"), always=False),
        "_multilabel_": Fact(FLAG),
        "tokens_": Fact(array("Ui"), always=False),
        "_shares_": Fact(array("f"), always=False),
        "_offset_": Fact(array("f"), always=False),
        "_spread_": Fact(array("f"), always=False),
        "_marginal_": Fact(array("f", 2), always=False),
    },
    "regression": {
        **_SERIES,
        "_many_targets_": Fact(FLAG),
        "_n_targets_": Fact(integer(1)),
        "_offset_": Fact(array("f")),
        "_spread_": Fact(array("f")),
        "_scores_": Fact(array("f", 2), always=False),
    },
    "forecasting": {
        **_EVERY,
        "n_features_in_": Fact(integer(1), always=False),
        "histories_": Fact(series_of(_CURVES)),
        "notes_": Fact(_NAMES),
        "auto_": Fact(_CHOSEN, always=False),
        "_library_": Fact(optional(_LIBRARY), always=False),
        "_sizes_": Fact(series_of(integer(1))),
        "_share_": Fact(
            Kind("a number in [0, 1]", lambda value: NUMBER.holds(value) and 0 <= value <= 1),
            always=False,
        ),
        "_powers_": Fact(array("f"), always=False),
        "_window_offset_": Fact(array("f"), since=2),
        "_window_scale_": Fact(array("f"), since=2),
        "_reader_": Fact(
            record(
                owner=TEXT,
                columns=_COLUMNS,
                arrays=FLAG,
                n_features=integer(),
                targets=_PLACES,
                future=_PLACES,
                target_inputs=FLAG,
                flat=FLAG,
            )
        ),
        "_tail_": Fact(
            record(
                values=array("f", 2),
                offsets=array("i"),
                ids=array("UOiufbM"),
                times=optional(array("iM")),
                age=optional(array("i", 2)),
                static=optional(array("f", 2)),
                static_codes=optional(array("i", 2)),
            )
        ),
    },
}
"""What a fit leaves, by the name of the task."""


def check_facts(task: str, fitted: Mapping[str, Any], format: int) -> None:
    """Raise unless these are the facts of a task, each of its kind.

    Raises
    ------
    ValueError
    """
    rows = FACTS[task]
    for name, value in fitted.items():
        if name not in rows:
            raise ValueError(
                explain(task, "a fitted attribute", "one of seqkit.estimators.facts.FACTS", name)
            )
        if not rows[name].kind.holds(value):
            raise ValueError(explain(task, name, rows[name].kind.words, value))
    for name, row in rows.items():
        if row.always and row.since <= format and name not in fitted:
            raise ValueError(explain(task, name, "there", None))


def check_together(estimator: Any) -> None:
    """Raise unless the facts of an estimator fit each other and its settings.

    Raises
    ------
    ValueError
    """
    task = estimator._task
    several = [getattr(estimator, name, ()) for name in ("histories_", "stopped_histories_")]
    histories = [estimator.history_, *several[0], *several[1]]
    if any(len({len(curve) for curve in history.values()}) > 1 for history in histories):
        raise ValueError(explain(task, "history_", "of curves of one length", "several lengths"))
    for what, expected, holds in _TOGETHER[task](estimator):
        if not holds:
            raise ValueError(explain(task, what, expected, "something else"))


def _series(estimator: Any) -> list[tuple[str, str, bool]]:
    marked = 2 if estimator.missing == "indicator" else 1
    n_steps, n_features = estimator._n_steps_, estimator.n_features_in_
    names = getattr(estimator, "feature_names_in_", None)
    seen = 1 if n_steps else n_features
    sizes, histories = (getattr(estimator, name, [1]) for name in ("_sizes_", "histories_"))
    return [
        ("_n_steps_", "the number of columns", not n_steps or n_steps == n_features),
        ("_n_channels_", f"{seen * marked}", estimator._n_channels_ == seen * marked),
        ("feature_names_in_", "a name a feature", names is None or len(names) == n_features),
        ("feature_names_in_", "texts", names is None or all(isinstance(n, str) for n in names)),
        ("_sizes_", "a number for each network", len(sizes) == estimator._n_networks),
        ("histories_", "a history a network", len(histories) == len(sizes)),
    ]


def _classification(estimator: Any) -> list[tuple[str, str, bool]]:
    classes = estimator.classes_
    in_order = len(classes) > 1 and _in_order(classes)
    return [*_series(estimator), ("classes_", "two or more classes, sorted", in_order)]


def _tagging(estimator: Any) -> list[tuple[str, str, bool]]:
    asks_next = estimator.target == NEXT
    if estimator._of_numbers:
        return [*_series(estimator), *_next_numbers(estimator, asks_next)]
    if not hasattr(estimator, "classes_"):
        return [("classes_", "there, where no numbers are learned", False)]
    n_classes = len(estimator.classes_)
    tokens, shares = (getattr(estimator, name, None) for name in ("tokens_", "_shares_"))
    return [
        *_series(estimator),
        ("classes_", "sorted", _in_order(estimator.classes_)),
        ("classes_", "two or more, or labels", n_classes > (0 if estimator._multilabel_ else 1)),
        ("tokens_", "sorted", tokens is None or (len(tokens) > 0 and _in_order(tokens))),
        ("_shares_", "of each token, 1 together, or of each label",
         not asks_next or _are_shares(shares, n_classes, one=tokens is not None)),
        ("tokens_", "the classes, where the next is learned",
         not asks_next or tokens is None or np.array_equal(tokens, estimator.classes_)),
        ("_multilabel_", "true, where the next of no tokens is learned",
         not asks_next or tokens is not None or estimator._multilabel_),
    ]  # fmt: skip


def _next_numbers(estimator: Any, asks_next: bool) -> list[tuple[str, str, bool]]:
    n, none = estimator._n_channels_, np.empty(0)
    arrays = [getattr(estimator, name, none) for name in ("_offset_", "_spread_", "_marginal_")]
    return [
        ("_marginal_", "left out, unless the next numbers are learned", asks_next),
        ("_offset_ and _spread_", f"{n} numbers", [a.shape for a in arrays[:2]] == [(n,), (n,)]),
        ("_spread_", "above 0", bool((arrays[1] > 0).all())),
        ("_marginal_", f"a mean and a spread of {n} features",
         arrays[2].shape == (2, n) and bool((arrays[2][1] >= 0).all())),
        ("classes_, tokens_ and _multilabel_", "left out, or false, where numbers are learned",
         not (hasattr(estimator, "classes_") or estimator._of_tokens or estimator._multilabel_)),
    ]  # fmt: skip


def _are_shares(values: np.ndarray | None, n: int, one: bool) -> bool:
    """Return whether these are shares of a whole, with `one` of the same whole."""
    if values is None or len(values) != n or (values < 0).any() or (values > 1).any():
        return False
    return not one or bool(np.isclose(values.sum(), 1))


def _in_order(values: np.ndarray) -> bool:
    try:
        return np.array_equal(np.unique(values), values)
    except TypeError:  # of several kinds
        return False


def _regression(estimator: Any) -> list[tuple[str, str, bool]]:
    n = estimator._n_targets_
    sizes = (estimator._offset_.shape, estimator._spread_.shape)
    scores = getattr(estimator, "_scores_", np.zeros((1, n)))
    return [
        *_series(estimator),
        ("_many_targets_", "whether there are several", estimator._many_targets_ == (n > 1)),
        ("_offset_ and _spread_", f"{n} numbers", sizes == ((n,), (n,))),
        ("_spread_", "above 0", bool((estimator._spread_ > 0).all())),
        ("_scores_", f"{n} numbers a series", scores.shape[1] == n and len(scores) > 0),
    ]


def _forecasting(estimator: Any) -> list[tuple[str, str, bool]]:
    reader = estimator._reader
    columns = reader.columns
    return [
        ("_reader_", "of a known treatment of what is missing", columns.missing in _MISSING),
        (
            "_reader_",
            "with known features of the calendar",
            all(name in CALENDAR or HOLIDAY.fullmatch(name) for name in columns.calendar),
        ),
        ("_reader_", "with targets", bool(columns.targets)),
        (
            "_reader_",
            "of features that there are",
            all(i < max(1, reader.n_features) for i in (*reader.targets, *reader.future)),
        ),
        (
            "n_features_in_",
            "there for arrays",
            reader.arrays == hasattr(estimator, "n_features_in_"),
        ),
        (
            "n_features_in_",
            f"{reader.n_features}",
            not reader.arrays or estimator.n_features_in_ == reader.n_features,
        ),
        (
            "_sizes_",
            "a number for each network",
            len(estimator._sizes_) == len(estimator._contexts),
        ),
        *(
            (name, "a number a target", array is None or array.shape == (len(columns.targets),))
            for name in ("_window_offset_", "_window_scale_")
            for array in (getattr(estimator, name, None),)
        ),
        (
            "_powers_",
            "a number in [0, 1] a target, where the target is transformed",
            estimator._fitted.target_transform == "none"
            or (
                getattr(estimator, "_powers_", np.empty(0)).shape == (len(columns.targets),)
                and bool(((estimator._powers_ >= 0) & (estimator._powers_ <= 1)).all())
            ),
        ),
        (
            "_window_scale_",
            "above 0",
            bool((getattr(estimator, "_window_scale_", np.ones(1)) > 0).all()),
        ),
        ("histories_", "a history a network", len(estimator.histories_) == len(estimator._sizes_)),
        *_tail(columns, estimator._tail_),
    ]


def _tail(columns: Any, tail: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """Conditions of the end of the series of the fit, which forecasts go on from."""
    n_rows, n_series = len(tail["values"]), len(tail["ids"])
    offsets, codes = tail["offsets"], tail["static_codes"]
    ends = len(offsets) == n_series + 1 and offsets[0] == 0 and offsets[-1] == n_rows
    known = [len(values) for _, values in columns.categories]
    n_aged = len(columns.targets) + len(columns.past)

    def sized(name: str, *shape: int) -> bool:
        return tail[name] is None or tail[name].shape == shape

    return [
        ("_reader_", "with a clock where there are stamps", _runs(columns, tail["times"], offsets)),
        ("_tail_", "with offsets of its series", bool(ends and (np.diff(offsets) > 0).all())),
        ("_tail_", "with a column a channel", tail["values"].shape[1] == len(columns.channels)),
        (
            "_tail_",
            "with stamps where there are any",
            (tail["times"] is None) == (columns.time is None),
        ),
        ("_tail_", "with a stamp a row", sized("times", n_rows)),
        ("_tail_", "with an age a value", sized("age", n_rows, n_aged)),
        (
            "_tail_",
            "with ages that a series can have",
            tail["age"] is None or bool((tail["age"] >= 0).all()),
        ),
        (
            "_tail_",
            "with static numbers a series",
            sized("static", n_series, len(columns.static_numbers)),
        ),
        ("_tail_", "with static numbers", (tail["static"] is None) == (not columns.static_numbers)),
        ("_tail_", "with static codes a series", sized("static_codes", n_series, len(known))),
        ("_tail_", "with static codes", (codes is None) == (not known)),
        (
            "_tail_",
            "with codes of known categories",
            codes is None or bool(((codes >= 0) & (codes <= known)).all()),
        ),
    ]


def _runs(columns: Any, times: Any, offsets: np.ndarray) -> bool:
    """Whether the clock can tell the stamp after the last one of every series."""
    clock = columns.clock
    if times is None or clock is None or not len(times):
        return times is None and clock is None
    if clock.integer != (times.dtype.kind == "i"):
        return False
    last = times[np.clip(offsets[1:] - 1, 0, len(times) - 1)]
    try:
        following = clock.after(last, 1)
        shown = following if clock.integer else clock.local(following.ravel())
    except (ValueError, TypeError, KeyError, OverflowError, OSError):
        return False
    return len(shown) == len(last) and bool((following[:, 0] > last).all())


_TOGETHER: dict[str, Callable[[Any], list[tuple[str, str, bool]]]] = {
    "classification": _classification,
    "regression": _regression,
    "tagging": _tagging,
    "forecasting": _forecasting,
}
