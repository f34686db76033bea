"""skops, told to trust what the docs name, reads every kind of fitted estimator, no other type."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skops import io
from skops.io.exceptions import UntrustedTypesFoundException

from seqkit import SequenceClassifier, SequenceForecaster, SequenceRegressor, SequenceTagger
from seqkit.estimators.saving import SKOPS_TRUSTED

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 6, 2)).astype(np.float32)
Y = np.array(["up", "down", "flat"] * 4)
FRAME = pd.DataFrame({
    "unique_id": np.repeat(["a", "b"], 30), "ds": list(pd.date_range("2024-01-01", periods=30)) * 2,
    "y": RNG.normal(size=60).cumsum(), "region": np.repeat(["north", "south"], 30),
})  # fmt: skip
QUICK = {"units": 2, "epochs": 1, "random_state": 0}
FITS = {
    "classifier": lambda: SequenceClassifier(stem=None, ensemble=2, **QUICK).fit(list(X), Y),
    "warm classifier": lambda: SequenceClassifier(stem=None, warm_start=True, **QUICK).fit(X, Y),
    "regressor": lambda: SequenceRegressor(quantiles=[0.1, 0.9], **QUICK).fit(X, X[:, :2, 0]),
    "tagger": lambda: SequenceTagger(target="next", **QUICK).fit(["abcab", "bca", "cabc"] * 4),
    "forecaster": lambda: SequenceForecaster(
        context_length=8, horizon=3, static_covariates=["region"], calendar=["weekday"], **QUICK
    ).fit(FRAME),
}


def answers(fitted):
    if isinstance(fitted, SequenceForecaster):
        return fitted.forecast().to_numpy()[:, 2:].astype(float)
    if isinstance(fitted, SequenceTagger):
        return np.concatenate(fitted.predict_proba(["abc", "ca"]))
    return (fitted.predict_proba if hasattr(fitted, "classes_") else fitted.predict)(X)


@pytest.mark.parametrize("name", FITS)
def test_the_list_is_enough(name):
    fitted = FITS[name]()
    content = io.dumps(fitted)
    assert set(io.get_untrusted_types(data=content)) <= set(SKOPS_TRUSTED)
    again = io.loads(content, trusted=list(SKOPS_TRUSTED))
    np.testing.assert_array_equal(answers(again), answers(fitted))
    with pytest.raises(UntrustedTypesFoundException, match="seqkit"):
        io.loads(content, trusted=[])


def test_no_type_of_the_list_is_too_many():
    needed = {one for fit in FITS.values() for one in io.get_untrusted_types(data=io.dumps(fit()))}
    assert needed == set(SKOPS_TRUSTED)


def test_a_pipeline_needs_no_more():
    table = X[:, :, 0]
    made = make_pipeline(StandardScaler(), SequenceClassifier(stem=None, **QUICK)).fit(table, Y)
    again = io.loads(io.dumps(made), trusted=list(SKOPS_TRUSTED))
    np.testing.assert_array_equal(again.predict_proba(table), made.predict_proba(table))


def test_the_docs_have_the_list():
    text = (ROOT / "docs" / "scikit-learn.md").read_text(encoding="utf-8")
    [listed] = re.findall(r"^trusted = \[\n(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    assert tuple(re.findall(r'^ +"([\w.]+)"', listed, re.MULTILINE)) == SKOPS_TRUSTED
