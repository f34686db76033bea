"""The report: whole, self-contained, escaped, and made from whatever a run left behind."""

from __future__ import annotations

import base64
import hashlib
import html
import html.parser
import json
import re
import shutil
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seqkit.errors import RunError
from seqkit.evaluation.baselines import ForecastProblem, SeriesProblem, run_baselines
from seqkit.evaluation.metrics import Predictions
from seqkit.evaluation.summary import score_model, summarize
from seqkit.report.html import SCRIPTS, write_report
from seqkit.report.plots import (
    ConfusionDisplay,
    ForecastDisplay,
    HistoryDisplay,
    HorizonErrorDisplay,
    save_displays,
)

EVIL = "<script>alert('a')</script>\"&{{ 7 * 7 }}"
RECORD = {
    "format": 1, "status": "complete", "started": "2026-09-01T14:12:00+02:00",
    "task": "forecasting", "recipe": "recipes/airline.yaml",
    "command": "seqkit fit airline.yaml", "seed": 42,
    "data": {"data/airline.csv": "3f2a"}, "versions": {"seqkit": "0.1.0", "keras": "3.15.0"},
    "host": {"python": "3.11", "cpus": 2}, "timings": {"fit": 4.2}, "seconds": 9.314,
}  # fmt: skip
LOG = """2026-09-01T14:12:01+02:00 frequency 'MS' was inferred from the time stamps
2026-09-01T14:12:02+02:00 epoch 1 loss=0.5 val_loss=0.6
2026-09-01T14:12:03+02:00 epoch 2 loss=0.4 val_loss=0.5
2026-09-01T14:12:04+02:00 best epoch 2 of 2
"""


def write(folder, **content):
    for name, value in content.items():
        path = folder / name.replace("__", ".")
        path.write_text(value if isinstance(value, str) else json.dumps(value, allow_nan=False))


@pytest.fixture
def forecasting_run(tmp_path):
    generator = np.random.default_rng(0)
    folder = tmp_path / "20260901-1412-airline-3f2a"
    folder.mkdir()
    steps = np.arange(132)
    history = [100 + steps + 20 * np.sin(steps / 2) + generator.normal(size=132) for _ in range(12)]
    truth = np.stack([series[-12:] for series in history])
    history = [series[:-12] for series in history]
    levels = (0.1, 0.5, 0.9)
    baselines, notes = run_baselines("forecasting", ForecastProblem(history, 12, 12, levels=levels))
    quantiles = truth[..., None] + generator.normal(size=(12, 12, 1)) + [-2.0, 0.0, 2.0]
    prediction = Predictions(values=quantiles[..., 1], quantiles=quantiles, levels=levels)
    part = score_model(
        "forecasting", truth, prediction, baselines=baselines, history=history, season=12,
        ids=[f"meter {i}" for i in range(12)],
    )  # fmt: skip
    extra = {
        "windows": 5, "step": 12, "refit": False, "seconds": 3.2,
        "conformal": {"level": 0.8, "coverage": 0.79, "mean_width": 41.2, "n_calibration": 60,
                      "n_measured": 24},
    }  # fmt: skip
    summary = summarize("forecasting", {"test": part}, backtest={**part, **extra}, notes=notes)
    write(
        folder, run__json=RECORD, metrics__json=summary, log__txt=LOG,
        history__csv="epoch,loss,val_loss\n1,0.5,0.6\n2,0.4,0.5\n",
        recipe__yaml="version: 1\ntask: forecasting\n",
    )  # fmt: skip
    (folder / "recipe.resolved.yaml").write_text("version: 1\ntask: forecasting\nseed: 42\n")
    save_displays(
        folder / "plots",
        {
            "history": HistoryDisplay({"loss": [0.5, 0.4], "val_loss": [0.6, 0.5]}),
            "forecast": ForecastDisplay(
                history[0], prediction.values[0], quantiles=quantiles[0], levels=levels,
                truth=truth[0], label="passengers (thousands)",
                baselines={"seasonal_naive": baselines["seasonal_naive"].values[0, 0, :, 0]},
            ),
            "horizon_error": HorizonErrorDisplay.from_summary(part, "smape"),
        },
    )  # fmt: skip
    return folder


class Page(html.parser.HTMLParser):
    """Checks that tags close in order, and keeps names, attributes and ids."""

    VOID = frozenset({"meta", "img", "br", "link"})

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.ids = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        self.ids += [value for key, value in attrs if key == "id"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


SCRIPT = re.compile(r"<script([^>]*)>(.*?)</script>", re.DOTALL)


def checked(path):
    """Read a report, and prove that it runs nothing but its own scripts, and loads nothing.

    Returns the page without its scripts, their data, and the page as it was parsed.
    """
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert not {"iframe", "link", "object", "foreignobject", "base"} & set(page.tags)
    policy = html.unescape(re.search(r'Policy" content="([^"]*)"', text)[1])
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy.split("script-src")[1]
    scripts = SCRIPT.findall(text)
    assert page.tags.count("script") == len(scripts) == len(SCRIPTS) + 1
    for (attributes, content), name in zip(scripts, ("data", *SCRIPTS), strict=True):
        if name == "data":
            assert attributes == ' type="application/json" id="data"'
            assert not set("<>&\u2028\u2029") & set(content)
            page.data = json.loads(content)
            continue
        assert not attributes
        assert content == files("seqkit.report").joinpath(f"assets/{name}").read_text().strip()
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    text = SCRIPT.sub("", text)
    assert len(page.ids) == len(set(page.ids))
    for key, value in page.attributes:
        assert not key.startswith("on")
        if key == "href" and value.startswith("#"):
            assert value[1:] in page.ids
        if key in ("src", "href", "xlink:href"):
            assert value.startswith(("#", "data:image/png;base64,"))
    assert not re.search(r"url\((?!#)", text)
    assert "@import" not in text
    return text, page


def test_report_of_a_forecasting_run(forecasting_run):
    path = write_report(forecasting_run)
    assert path == forecasting_run / "report.html"
    text, page = checked(path)
    assert page.tags.count("svg") == 1  # the others are drawn from numbers
    first = text.index("<figcaption>")
    assert "Forecast" in text[first : first + 60]
    assert page.data["history"] == {
        "curves": {"loss": [0.5, 0.4], "val_loss": [0.6, 0.5]}, "best": 2, "stopped": 0,
        "validated": True, "others": [],
    }  # fmt: skip
    assert page.data["byStep"]["mase"]["scores"].keys() == {"model", *page.data["titles"]}
    assert page.data["model"]["absent"]
    for shown in (
        "The model beats its best baseline", "MASE ↓", "seasonal naive", "Naive2", "meter 3",
        "held 79.0 % of 24 true values", "frequency &#39;MS&#39; was inferred", "seed: 42",
        "versions: keras", "3.15.0", "2 epochs; lowest validation loss 0.5000 after epoch 2",
        "fitted once", "coverage should be 80%",
    ):  # fmt: skip
        assert shown in text, shown
    assert "epoch 1 loss" not in text
    assert "currentColor" in text
    assert "prefers-color-scheme: dark" in text
    assert 'name="viewport"' in text
    assert not list(forecasting_run.glob("*.new"))


def test_everything_of_the_users_is_escaped(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    classes = np.asarray([EVIL, "ok"])
    y = classes[np.arange(12) % 2]
    probabilities = np.tile([0.3, 0.7], (12, 1))
    X = np.random.default_rng(0).normal(size=(12, 5))
    baselines, _ = run_baselines("classification", SeriesProblem(X, y, X + 1))
    prediction = Predictions(np.full(12, classes[1]), probabilities)
    part = score_model("classification", y, prediction, baselines=baselines, classes=classes)
    finding = {"code": "SQ101", "title": EVIL, "severity": "warning", "sentence": EVIL,
               "evidence": {EVIL: EVIL}, "mend": EVIL, "docs": "docs/findings.md"}  # fmt: skip
    summary = summarize("classification", {"test": part}, notes=[EVIL]) | {"findings": [finding]}
    write(
        folder, run__json={**RECORD, "task": "classification", "command": EVIL, EVIL: EVIL},
        metrics__json=summary,
        log__txt=EVIL, recipe__yaml=EVIL,
    )  # fmt: skip
    (folder / "recipe.resolved.yaml").write_text(EVIL)
    pd.DataFrame(
        {"series": [EVIL] * 12, "true": y, "predicted": prediction.labels, "p_a": 0.3, "p_b": 0.7}
    ).to_parquet(folder / "predictions.parquet")
    save_displays(folder / "plots", {"confusion": ConfusionDisplay(np.eye(2, dtype=int), classes)})
    text, page = checked(write_report(folder))
    assert "alert(" in text
    assert page.data["series"]["items"][0]["id"] == EVIL
    assert page.data["confusion"]["labels"][0] == EVIL
    assert not page.tags.count("svg")
    assert "49" not in re.findall(r"\d+", text[text.index("Recipe</h2>") :][:400])
    assert "SQ101" in text
    assert "6 of 12 series have the wrong class" in text
    assert "does <strong>not</strong> beat" in text or "beats its best" in text


def test_a_foreign_picture_is_stripped(forecasting_run):
    (forecasting_run / "plots" / "extra.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        'onload="alert(1)" width="10"><script>alert(2)</script><foreignObject/><a href="x">y</a>'
        '<style>@import "http://x"; .a{}</style><image xlink:href="http://x/y.png"/>'
        '<rect id="r" fill="url(http://x)"/><use href="#r"/><animate attributeName="x"/></svg>'
    )
    text, page = checked(write_report(forecasting_run))
    assert "alert" not in text
    assert "http://x" not in text
    assert page.tags.count("svg") == 2
    (forecasting_run / "plots" / "extra.svg").write_text("<svg")
    with pytest.raises(RunError, match="damaged"):
        write_report(forecasting_run)


def test_a_failed_run_has_a_report_of_what_is_there(tmp_path):
    write(tmp_path, run__json={**RECORD, "status": "failed"})
    text, _ = checked(write_report(tmp_path))
    assert "There are no scores: the run is failed" in text
    assert "Nothing was logged" in text


def test_a_long_log_is_cut_in_the_middle_and_said(tmp_path):
    write(tmp_path, run__json=RECORD, log__txt="\n".join(f"t line {i}" for i in range(500)))
    text, _ = checked(write_report(tmp_path))
    assert "300 lines in the middle left out" in text
    assert "line 0\n" in text
    assert "line 499" in text
    assert "line 250\n" not in text


@pytest.mark.parametrize("name", ["run.json", "metrics.json"])
def test_damaged_folders_are_named(tmp_path, name):
    with pytest.raises(RunError, match="no run folder"):
        write_report(tmp_path)
    write(tmp_path, run__json=RECORD)
    (tmp_path / name).write_text("{")
    with pytest.raises(RunError, match=f"{name}: damaged"):
        write_report(tmp_path)


@pytest.mark.parametrize(
    "folder", sorted((Path(__file__).parent / "runs").glob("*/*/run")), ids=lambda f: f.parent.name
)
def test_folders_of_earlier_versions_have_a_page(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "run")
    text, page = checked(write_report(tmp_path / "run"))
    assert page.data["history"]["curves"]["loss"]
    assert page.data["model"]["absent"]
    assert "<table" in text
