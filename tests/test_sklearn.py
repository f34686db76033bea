"""scikit-learn's own checks on the estimators, with tiny settings.

``python -m pytest tests/test_sklearn.py -n 0 --write-docs`` writes the counts into the guide.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
import sklearn
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

from seqkit import SequenceClassifier, SequenceForecaster, SequenceRegressor

TINY = {"batch_size": 16, "validation": 0.0, "patience": 0, "random_state": 0}
ESTIMATORS = [
    SequenceClassifier(units=4, epochs=20, learning_rate=0.05, **TINY),
    SequenceRegressor(units=4, epochs=30, learning_rate=0.03, **TINY),
    SequenceForecaster(context_length=3, horizon=1, units=4, epochs=2, **TINY),
]

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
        "check_fit1d": "a one-dimensional X is one series of one feature, no mistake",
    },
}
GUIDE = Path(__file__).resolve().parents[1] / "docs" / "scikit-learn.md"
OUTCOMES: dict[str, Counter[str]] = {type(e).__name__: Counter() for e in ESTIMATORS}

pytestmark = pytest.mark.filterwarnings("ignore")


@parametrize_with_checks(
    ESTIMATORS, expected_failed_checks=lambda estimator: EXPECTED[type(estimator).__name__]
)
def test_scikit_learn_checks(estimator, check):
    name, kind = getattr(check, "func", check).__name__, type(estimator).__name__
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
        elif name in EXPECTED[kind]:
            outcome = "expected to fail"
        raise
    finally:
        OUTCOMES[kind][outcome] += 1


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
    if f"scikit-learn {sklearn.__version__} " not in found:
        pytest.skip("the guide counts the checks of another version of scikit-learn")
    for estimator in ESTIMATORS:
        kind = type(estimator).__name__
        row = re.search(rf"`{kind}` \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|", found)
        passed, expected, failed, skipped = (int(number) for number in row.groups())
        n_checks = len(list(estimator_checks_generator(estimator)))
        assert passed + expected + failed + skipped == n_checks
        assert (expected, failed) == (len(EXPECTED[kind]), 0)
