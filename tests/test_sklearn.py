"""scikit-learn's own checks on the estimators: small ones, their defaults, and other settings.

``python -m pytest tests/test_sklearn.py -n 0 -m "" --write-docs`` writes the counts into the guide.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
import sklearn
from sklearn.base import clone
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

from seqkit import SequenceClassifier, SequenceForecaster, SequenceRegressor

TINY = {"batch_size": 16, "validation": 0.0, "patience": 0, "random_state": 0}
ESTIMATORS = [
    SequenceClassifier(units=4, epochs=20, learning_rate=0.05, **TINY),
    SequenceRegressor(
        units=4,
        epochs=30,
        learning_rate=0.03,
        dropout=0.0,
        pooling="last",
        bidirectional=False,
        schedule="constant",
        **TINY,
    ),
    SequenceForecaster(context_length=3, horizon=1, units=4, epochs=2, **TINY),
]
# one of the three networks that a fit by default trains: the checks fit some hundred times
DEFAULTS = [
    SequenceClassifier(ensemble=1),
    SequenceRegressor(ensemble=1),
    SequenceForecaster(context_length=3, horizon=1),
]
# Not here is what the checks cannot be run with: they hand a forecaster its target apart from X,
# which the recursive decoder, departures and independent channels refuse.
SPREAD = [
    *(
        clone(ESTIMATORS[0]).set_params(**settings)
        for settings in (
            {"cell": "gru", "pooling": "mean", "bidirectional": True},
            {"cell": "vanilla", "pooling": "attention", "dense": (4,), "missing": "interpolate"},
            {"pooling": "max", "missing": "indicator", "schedule": "cosine",
             "class_weight": "balanced"},
            {"warm_start": True, "scale": "robust", "stem": None},
            {"cell": "simple_rnn", "pooling": "mean_max", "validation": 0.2, "patience": 9},
            {"units": [4, 4], "residual": True, "dropout": 0.1, "recurrent_dropout": 0.1,
             "scale": "minmax"},
        )
    ),
    *(
        clone(ESTIMATORS[1]).set_params(**settings)
        for settings in (
            {"cell": "gru", "pooling": "mean_max", "scale": "none"},
            {"loss": "huber", "missing": "indicator", "warm_start": True},
            {"bidirectional": True, "pooling": "mean", "missing": "interpolate",
             "validation": 0.2, "patience": 50, "epochs": 100},
        )
    ),
    *(
        clone(ESTIMATORS[2]).set_params(**settings)
        for settings in (
            {"quantiles": [0.1, 0.5, 0.9], "missing": "interpolate"},
            {"distribution": "student_t", "missing": "indicator", "cell": "lstm"},
            {"distribution": "negative_binomial", "normalize": "none"},
            {"distribution": "poisson", "warm_start": True},
            {"distribution": "normal", "normalize": "last", "bidirectional": True,
             "validation": 2, "patience": 1},
            {"decoder": "segment", "context_length": 4, "horizon": 2, "patch": 2},
            {"ensemble": 2, "scale": "robust"},
        )
    ),
]  # fmt: skip

AT_RANDOM = (
    "batches are drawn at random, so a repeated row is not a weight of 2; scikit-learn excuses its "
    "own SGDClassifier for the same reason"
)
IN_ORDER = "rows are time steps in order: a forecast is made from the rows before it"
EXPECTED = {
    "SequenceClassifier": {"check_sample_weight_equivalence_on_dense_data": AT_RANDOM},
    "SequenceRegressor": {"check_sample_weight_equivalence_on_dense_data": AT_RANDOM},
    "SequenceForecaster": {
        "check_methods_sample_order_invariance": IN_ORDER,
        "check_methods_subset_invariance": IN_ORDER,
        "check_sample_weight_equivalence_on_dense_data": IN_ORDER,
        "check_fit1d": "a one-dimensional X is one series of one feature, no mistake",
    },
}
GOES_ON = "with warm_start a second fit goes on, so it is not the first one again"


def expected(estimator) -> dict[str, str]:
    """Return the checks that fail, and why they must."""
    found = dict(EXPECTED[type(estimator).__name__])
    if estimator.warm_start and not isinstance(estimator, SequenceForecaster):
        found["check_supervised_y_2d"] = GOES_ON
        if isinstance(estimator, SequenceClassifier):
            found["check_classifiers_multilabel_representation_invariance"] = GOES_ON
    return found


def label(estimator) -> str:
    """Return the row of the guide's table; `repr` leaves out what is a default."""
    return repr(estimator) if repr(estimator) in map(repr, DEFAULTS) else type(estimator).__name__


GUIDE = Path(__file__).resolve().parents[1] / "docs" / "scikit-learn.md"
OUTCOMES: dict[str, Counter[str]] = {label(e): Counter() for e in (*ESTIMATORS, *DEFAULTS)}

pytestmark = pytest.mark.filterwarnings("ignore")


def count(estimator, check):
    """Run a check and count its outcome."""
    name, kind = getattr(check, "func", check).__name__, label(estimator)
    outcome = "failed"
    try:
        check(estimator)
        outcome = "passed"
    except pytest.skip.Exception:
        outcome = "skipped"
        raise
    except BaseException as error:
        if type(error).__name__ == "SkipTest":
            outcome = "skipped"
        elif name in expected(estimator):
            outcome = "expected to fail"
        raise
    finally:
        OUTCOMES[kind][outcome] += 1


@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected)
def test_small_networks(estimator, check):
    count(estimator, check)


@pytest.mark.slow
@parametrize_with_checks(DEFAULTS, expected_failed_checks=expected)
def test_defaults_as_they_are(estimator, check):
    count(estimator, check)


@pytest.mark.slow
@parametrize_with_checks(SPREAD, expected_failed_checks=expected)
def test_other_settings(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", [*ESTIMATORS, *DEFAULTS, *SPREAD], ids=repr)
def test_what_is_expected_to_fail_is_among_the_checks(estimator):
    """A check that scikit-learn renames would else be excused for ever."""
    names = {getattr(c, "func", c).__name__ for _, c in estimator_checks_generator(estimator)}
    assert set(expected(estimator)) <= names


def counted() -> str:
    """Return the outcomes as the guide's table."""
    columns = ["passed", "expected to fail", "failed", "skipped"]
    lines = [
        f"| scikit-learn {sklearn.__version__} | {' | '.join(columns)} |",
        "|---" * 5 + "|",
    ]
    lines += [
        f"| `{kind}` | " + " | ".join(str(found[c]) for c in columns) + " |"
        for kind, found in OUTCOMES.items()
    ]
    return "\n".join(lines) + "\n"


def test_the_guide_gives_these_counts(request):
    text = GUIDE.read_text()
    begin, end = "<!-- checks -->\n", "<!-- end of checks -->\n"
    pattern = re.compile(f"(?<={begin}).*?(?={end})", re.S)
    if request.config.getoption("--write-docs"):
        assert all(OUTCOMES.values()), "needs -n 0: all checks in one process, this test last"
        GUIDE.write_text(pattern.sub(counted(), text))
        return
    found = pattern.search(text)[0]
    for estimator in (*ESTIMATORS, *DEFAULTS):
        kind = re.escape(label(estimator))
        row = re.search(rf"`{kind}` \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|", found)
        passed, excused, failed, skipped = (int(number) for number in row.groups())
        assert (excused, failed) == (len(expected(estimator)), 0)
        if f"scikit-learn {sklearn.__version__} " in found:  # the number of checks is its own
            n_checks = len(list(estimator_checks_generator(estimator)))
            assert passed + excused + failed + skipped == n_checks
