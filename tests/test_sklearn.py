"""scikit-learn's own checks on the estimators, with tiny settings."""

from __future__ import annotations

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from seqkit import SequenceClassifier, SequenceRegressor

TINY = {"units": 4, "batch_size": 16, "validation": 0.0, "patience": 0, "random_state": 0}
# Batches are drawn at random, so a repeated row is not a weight of 2; scikit-learn excuses its own
# SGDClassifier from these two for the same reason.
EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": "batches are drawn at random",
    "check_sample_weight_equivalence_on_sparse_data": "batches are drawn at random",
}

pytestmark = pytest.mark.filterwarnings("ignore")


@parametrize_with_checks(
    [
        SequenceClassifier(epochs=30, learning_rate=0.03, **TINY),
        SequenceRegressor(epochs=30, learning_rate=0.03, **TINY),
    ],
    expected_failed_checks=lambda estimator: EXPECTED,
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)
