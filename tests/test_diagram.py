"""What a notebook shows of an estimator: the diagram, the network and the history, escaped."""

from __future__ import annotations

import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from seqkit import SequenceClassifier, SequenceForecaster, SequenceRegressor, SequenceTagger
from seqkit.estimators.diagram import curve_svg

RNG = np.random.default_rng(0)
X = RNG.normal(size=(16, 12, 2))
SHORT = {"units": 3, "epochs": 2, "ensemble": 1, "random_state": 0}
EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def fitted():
    return SequenceClassifier(**SHORT).fit(X, [EVIL, "b"] * 8)


STEPS = {name: value for name, value in SHORT.items() if name != "ensemble"}
AHEAD = {"context_length": [6, 8], "horizon": 2, "units": 3, "epochs": 2, "ensemble": 2}
FITS = {
    "classifier": lambda: SequenceClassifier(**SHORT).fit(X, ["a", "b"] * 8),
    "regressor": lambda: SequenceRegressor(**{**SHORT, "ensemble": 3}).fit(X, X[:, 0, 0]),
    "tagger": lambda: SequenceTagger(**STEPS).fit(X, np.where(X[..., 0] > 0, "u", "d")),
    "forecaster": lambda: SequenceForecaster(**AHEAD).fit(np.sin(np.arange(60.0))),
}


@pytest.mark.parametrize("kind", FITS)
def test_a_fitted_estimator_shows_its_network_and_history(kind):
    model = FITS[kind]()
    assert "recurrent_1" not in clone(model)._repr_html_()
    page = model._repr_html_()
    assert page.startswith(clone(model)._repr_html_()[:20])
    assert "recurrent_1" in page
    assert "trained parameters" in page
    assert "loss over 2 epochs" in page
    assert model._repr_mimebundle_()["text/html"].endswith("</div>")
    assert model._repr_mimebundle_()["text/plain"] == repr(model)


def test_networks_that_are_alike_are_counted():
    model = SequenceRegressor(**{**SHORT, "ensemble": 3, "patch": 2}).fit(X, X[:, 0, 0])
    assert "3 networks:" in model._repr_html_()


def test_text_of_the_data_is_escaped(fitted):
    assert EVIL not in fitted._repr_html_()
    named = SequenceClassifier(**SHORT, target=EVIL)
    assert EVIL not in named._repr_html_()


def test_pipelines_and_searches_show_it_inside(fitted):
    pipe = make_pipeline(FunctionTransformer(), SequenceClassifier(**SHORT))
    assert "SequenceClassifier" in pipe._repr_html_()
    search = GridSearchCV(pipe, {"sequenceclassifier__units": [2]}, cv=2)
    assert "SequenceClassifier" in search._repr_html_()
    search.fit(X, ["a", "b"] * 8)
    assert "SequenceClassifier" in search._repr_html_()
    assert "SequenceClassifier" in make_pipeline(fitted)._repr_html_()


def test_a_network_stands_once_wherever_its_estimator_is(fitted):
    assert fitted._repr_html_().count("<summary>network</summary>") == 1
    assert fitted._repr_mimebundle_()["text/html"].count("<summary>network</summary>") == 1
    search = GridSearchCV(SequenceClassifier(**SHORT), {"units": [2]}, cv=2)
    search.fit(X, ["a", "b"] * 8)
    for whole in (make_pipeline(fitted), search):
        page = whole._repr_html_()
        assert page.count("<summary>network</summary>") == 1
        assert "loss over 2 epochs" in page
        assert EVIL not in page


def test_a_text_display_stays_text(fitted):
    with sklearn.config_context(display="text"):
        assert not hasattr(fitted, "_repr_html_")
        assert "text/html" not in fitted._repr_mimebundle_()


def test_nothing_of_keras_is_loaded_or_built():
    code = (
        "import sys, numpy as np; from seqkit import SequenceRegressor\n"
        "from sklearn.pipeline import make_pipeline\n"
        "X = np.arange(60.0).reshape(12, 5)\n"
        "m = SequenceRegressor(units=2, epochs=1, ensemble=1).fit(X, X[:, 0])\n"
        "m._repr_html_(), m._repr_mimebundle_(), make_pipeline(m)._repr_html_()\n"
        "print([n for n in ('keras', 'tensorflow', 'matplotlib') if n in sys.modules], "
        "'_model_' in vars(m))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] False"


def test_a_curve_is_drawn_to_scale():
    svg = curve_svg({"loss": [3.0, 2.0, 1.0], "val_loss": [2.0, float("nan"), 2.0]})
    root = ElementTree.fromstring(svg.partition("<br>")[0])
    loss, held = ([tuple(map(float, p.split(","))) for p in line.get("points").split()]
                  for line in root)  # fmt: skip
    assert loss == [(6.0, 6.0), (160.0, 45.0), (314.0, 84.0)]
    assert held == [(6.0, 45.0), (314.0, 45.0)]
    assert "dashed" in svg


def test_losses_over_several_sizes_are_on_a_logarithmic_axis():
    svg = curve_svg({"loss": [100.0, 10.0, 1.0]})
    assert "logarithmic" in svg
    [line] = ElementTree.fromstring(svg.partition("<br>")[0])
    assert line.get("points").split()[1] == "160.0,45.0"


@pytest.mark.parametrize("losses", [[], [1.0], [float("nan")] * 3])
def test_where_there_is_no_curve_nothing_is_drawn(losses):
    assert curve_svg({"loss": losses}) == ""
