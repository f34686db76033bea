"""Every finding is found where it is, and nowhere else; it stands in report, JSON and terminal."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from conftest import some
from hypothesis import given, settings
from hypothesis import strategies as st

from seqkit import SequenceRegressor, run
from seqkit.cells import Weights, find_cell
from seqkit.cli import cli
from seqkit.data.describing import SeriesPart
from seqkit.data.embedded import DATASETS
from seqkit.data.novelty import seen
from seqkit.evaluation.findings import FINDINGS, Evidence, find_all, finding_lines, untold
from seqkit.evaluation.findings.evidence import (
    ClassProbabilities,
    Found,
    GateShares,
    Novelty,
    PartScore,
    WindowErrors,
    worst_network,
)
from seqkit.evaluation.findings.seasons import missed_season
from seqkit.evaluation.metrics import Predictions
from seqkit.evaluation.resampling import Cases, score_sums
from seqkit.evaluation.saturation import gate_shares
from seqkit.evaluation.summary import score_model, summarize
from seqkit.recipe.reading import read_recipe
from seqkit.report.html import write_report
from seqkit.runs import evidence as gathering
from seqkit.runs.evidence import check_findings
from seqkit.runs.flows.base import Assessment

RNG = np.random.default_rng(0)
SETTINGS = {"data": {"missing": "interpolate"}, "evaluate": {"season": 1}, "train": {}}


# made evidence --------------------------------------------------------------------------------


def part(name, values, y=None, times=None, ids=None):
    """Series of one length, (n_series, n_timesteps, n_features), as a part."""
    n, n_steps, n_features = values.shape
    return SeriesPart(
        name,
        values.reshape(-1, n_features).astype(float),
        np.arange(n + 1) * n_steps,
        tuple(f"f{j}" for j in range(n_features)),
        list(range(n)) if ids is None else ids,
        y,
        times,
    )


NOISE = RNG.normal(size=(40, 30, 2))
OTHER = RNG.normal(size=(20, 30, 2))
CLASSES = np.array(["a", "b"])[np.arange(40) % 2]


def data(train=NOISE, test=OTHER, y=CLASSES, task="classification", **more):
    parts = (part("train", train, y), *(() if test is None else (part("test", test),)))
    return Evidence(task, SETTINGS, parts, **more)


def with_cells(values, *cells):
    """Return values with some of them replaced."""
    changed = values.copy()
    for where, value in cells:
        changed[where] = value
    return changed


def dated(begin):
    stamps = np.datetime64("2024-01-01") + begin + np.arange(30)
    train = part("train", NOISE, CLASSES, np.tile(np.datetime64("2024-01-01") + np.arange(30), 40))
    return Evidence(
        "classification", SETTINGS, (train, part("test", OTHER, None, np.tile(stamps, 20)))
    )


def static(column):
    """Return features with one more, which is constant in every series."""
    return np.concatenate(
        [NOISE, np.repeat(np.asarray(column, float)[:, None], 30, 1)[..., None]], 2
    )


def labelled(counts, **train):
    y = np.repeat(list("abcdefgh")[: len(counts)], counts)
    values = RNG.normal(size=(len(y), 10, 1))
    evidence = data(values, None, y)
    return replace(evidence, settings={**SETTINGS, "train": train})


def scored(y, predicted, baseline, *, parts=("test",), probabilities=None):
    """Return evidence of the scores of a classifier beside a baseline."""
    scores = {}
    for name, of in zip(parts, predicted if len(parts) > 1 else [predicted], strict=True):
        scores[name] = score_model(
            "classification", y, Predictions(labels=of), metrics=["accuracy"],
            baselines={"majority": Predictions(labels=baseline)}, classes=np.unique(y),
        )  # fmt: skip
    return Evidence("classification", SETTINGS, scores=summarize("classification", scores))


Y = np.array(list("abc"))[np.arange(300) % 3]
A = np.full(300, "a")


def right(share, never=""):
    wrong = np.array(list("bca"))[np.arange(300) % 3]
    answers = np.where(np.arange(300) < share * 300, Y, wrong)
    return np.where(answers == never, "a", answers) if never else answers


def trained(loss, val_loss=None, epochs=None, best=-1, kind="mse", scores=None, **curves):
    history = {"loss": list(loss), **({} if val_loss is None else {"val_loss": list(val_loss)})}
    return Evidence(
        "regression",
        SETTINGS,
        history=history | curves,
        epochs=len(history["loss"]) if epochs is None else epochs,
        best_epoch=best,
        loss=kind,
        scores=scores,
    )


def held_scores(task, metric, truth, test, validation):
    """Return evidence of what two parts score, a series a case."""
    kind = "labels" if task == "classification" else "values"
    scores = {}
    for name, of in (("test", test), ("validation", validation)):
        n = len(of)
        cases = Cases(np.asarray(truth[:n]), Predictions(**{kind: of}), np.arange(n))
        scores[name] = PartScore.of(metric, score_sums(metric, cases))
    return Evidence(task, SETTINGS, held_scores=scores)


def labels_held(test, validation, n=300):
    return held_scores("classification", "accuracy", Y, right(test)[:n], right(validation)[:n])


def numbers_held(test, validation, metric="mae", n=300, task="regression"):
    """Errors of this size: Gaussian, one case a series."""
    rng = np.random.default_rng(3)
    truth = rng.normal(size=n)
    return held_scores(task, metric, truth, *(truth + of * rng.normal(size=n)
                                              for of in (test, validation)))  # fmt: skip


LOSES = scored(Y, right(0.3), right(0.5)).scores
FALLS = 1 / np.arange(1.0, 101)
SLOW = FALLS**0.5
RESTS = 0.2 + np.exp(-np.arange(100.0) / 5)
RISES = np.r_[np.linspace(1, 0.3, 20), np.linspace(0.3, 0.5, 80)]


def sure(by, share, n=400):
    """Return probabilities of two classes of which a share are right."""
    truth = (np.arange(n) % 100 >= 100 * share).astype(int)
    return Evidence(
        "classification",
        SETTINGS,
        probabilities=ClassProbabilities(truth, np.tile([by, 1 - by], (n, 1))),
    )


def windows(errors, **more):
    """Return errors (n_series, n_windows, horizon) as evidence."""
    errors = np.asarray(errors)[..., None]
    ids = [f"s{i}" for i in range(len(errors))]
    more = {"step": errors.shape[2], **more}
    return Evidence("forecasting", SETTINGS, windows=WindowErrors(ids, errors, **more))


def held(share, n=40):
    inside = np.broadcast_to((np.arange(n) < share * n)[None, :, None, None], (1, n, 5, 1))
    return windows(RNG.normal(size=(1, n, 5)), held=inside, level=0.8)


ERRORS = RNG.normal(size=(30, 20, 12))
WAVE = np.sin(2 * np.pi * np.arange(240) / 6).reshape(1, 20, 12)
DRIFT = np.repeat([1.0, -1.0], 10)[None, :, None] + np.zeros((30, 1, 12))
T = np.arange(200.0)
SEASONAL = 10 * np.sin(2 * np.pi * T / 12) + RNG.normal(size=200)


def series(x, season=1):
    return Evidence(
        "forecasting",
        {**SETTINGS, "evaluate": {"season": season}},
        targets=[np.asarray(x)[:, None]],
    )


def novel(values, lengths):
    known = seen(NOISE.reshape(-1, 2), [30] * 40)
    return Evidence(
        "classification", SETTINGS, novelty=Novelty(known, values, lengths, ("volt", "amp"))
    )


def gates(**shares):
    rows = [GateShares("recurrent_1", "", gate, *of) for gate, of in shares.items()]
    return Evidence("classification", SETTINGS, gates=rows)


TWICE = np.concatenate([OTHER[:18], NOISE[:2]])
CUT = with_cells(OTHER, (0, np.roll(NOISE[3], 10, axis=0)))
GAPPY = with_cells(NOISE, ((slice(None), slice(0, 20), 0), np.nan))
STRAY = with_cells(NOISE, ((3, 4, 0), 999.0))
BEHIND = with_cells(OTHER.reshape(-1, 2), ((0, 1), 500.0))

MANY = data(static(np.arange(40)))
AGAIN = data(with_cells(NOISE, (2, NOISE[0])))

# code, evidence in which it is found, and others in which it is not.
CASES = [
    ("SQ001", scored(Y, right(0.3), right(0.5)), scored(Y, right(0.9), A)),
    ("SQ002", scored(Y, A, right(0.5)), scored(Y, right(0.3), A)),
    ("SQ003", labels_held(0.6, 0.9), labels_held(0.88, 0.9), labels_held(0.9, 0.6),
     labels_held(0.1, 0.9, n=40), numbers_held(1.0, 2.0),
     numbers_held(2.0, 1.0, n=40)),
    ("SQ101", data(test=TWICE), data(), data(np.ones_like(NOISE), np.ones_like(OTHER)),
     data(test=TWICE, continuous=False)),
    ("SQ102", data(test=CUT), data(), data(NOISE.round(), CUT.round())),
    ("SQ103", data(with_cells(NOISE, (1, NOISE[0]))), AGAIN, data()),
    ("SQ104", AGAIN, data(), data(np.ones_like(NOISE))),
    ("SQ105", dated(10), dated(30), data()),
    ("SQ106", data(static(np.arange(40) % 2 + 7)), data(static(np.arange(40) % 3)), data(),
     MANY),
    ("SQ107", data(with_cells(NOISE, ((..., 1), 3.0))), data(),
     data(with_cells(NOISE, ((..., 1), 3.0)), continuous=False)),
    ("SQ108", data(GAPPY), data(with_cells(NOISE, ((..., slice(0, 9), 0), np.nan))), data()),
    ("SQ109", data(STRAY), data(), data(np.where(NOISE > 1.5, 99.0, NOISE))),
    ("SQ110", labelled([20, 4]), labelled([20, 5])),
    ("SQ111", labelled([95, 5]), labelled([90, 10]), labelled([95, 5], class_weight="balanced")),
    ("SQ112", labelled([80, 10]), labelled([60, 40]), labelled([80, 10], class_weight="balanced")),
    ("SQ113", novel(BEHIND, [30]), novel(OTHER.reshape(-1, 2), [30])),
    ("SQ114", novel(OTHER.reshape(-1, 2), [30, 90]), novel(OTHER.reshape(-1, 2), [20, 60])),
    ("SQ115", data(gaps={"a": 2}), data(gaps={})),
    ("SQ116", series(SEASONAL), series(SEASONAL, 12), series(np.cumsum(SEASONAL[:100] ** 0)),
     series(RNG.normal(size=200)), series(np.cumsum(RNG.normal(size=200)))),
    ("SQ201", trained(SLOW, scores=LOSES), trained(SLOW), trained(RESTS),
     trained(FALLS, epochs=200), trained(FALLS, RISES), trained(FALLS[:9])),
    ("SQ202", trained(RESTS, RISES), trained(RESTS, RISES, best=19), trained(RESTS, RESTS)),
    ("SQ203", trained(RESTS, RISES, best=19), trained(RESTS, RESTS), trained(RESTS, FALLS)),
    ("SQ204", trained(RESTS, 5 * RESTS), trained(RESTS, 1.5 * RESTS),
     trained(RESTS / 100, RESTS / 10, kind="crossentropy")),
    ("SQ205", trained([4.0, 1.5, 9.0, 2.0] * 5), trained(RESTS), trained([9.0, *[0.01, 0.03] * 9])),
    ("SQ206", trained(RESTS, clipped=[0.9] * 100), trained(RESTS, clipped=[1.0] * 40 + [0.1] * 60),
     trained(RESTS)),
    ("SQ301", scored(Y, right(0.9, never="c"), A), scored(Y, right(0.9), A), scored(Y, A, A)),
    ("SQ302", sure(0.95, 0.7), sure(0.7, 0.7), sure(0.95, 0.7, n=40)),
    ("SQ303", held(0.4), held(0.8), held(0.4, n=9)),
    ("SQ304", windows(1 + 0.5 * ERRORS), windows(ERRORS), windows(1 + 0.5 * ERRORS[:, :4]),
     windows(ERRORS + 0.2)),
    ("SQ305", windows(WAVE + 0.3 * ERRORS[:1], season=6), windows(ERRORS, season=6),
     windows(WAVE + 0.3 * ERRORS[:1], season=1), windows(DRIFT + ERRORS, season=6)),
    ("SQ306", windows(DRIFT + 0.3 * ERRORS), windows(ERRORS), windows(WAVE + ERRORS)),
    ("SQ307", windows(ERRORS * np.r_[50, np.ones(29)][:, None, None]), windows(ERRORS),
     windows(ERRORS * np.r_[50, np.ones(29)][:, None, None], scale=np.r_[50, np.ones(29)]),
     windows((ERRORS * np.r_[50, np.ones(29)][:, None, None])[:19])),
    ("SQ308", gates(i=(0.97, 0.0), f=(0.0, 0.1), o=(0.2, 0.2)), gates(i=(0.3, 0.3), f=(0.0, 0.99)),
     gates(z=(0.5, 0.4), r=(0.99, 0.0))),
]  # fmt: skip
FIRES = {code: evidence for code, evidence, *_ in CASES}


def codes(evidence):
    return {found["code"] for found in find_all(evidence)}


def test_every_finding_has_its_cases():
    assert [code for code, *_ in CASES] == some(FINDINGS)


@pytest.mark.parametrize(
    ("code", "evidence"), [case[:2] for case in CASES], ids=lambda c: str(c)[:5]
)
def test_a_finding_is_found(code, evidence):
    [found] = [one for one in find_all(evidence) if one["code"] == code]
    assert found["sentence"].endswith(".")
    assert found["evidence"]
    assert json.loads(json.dumps(found, allow_nan=False)) == found


@pytest.mark.parametrize(
    ("code", "evidence"),
    [(code, evidence) for code, _, *quiet in CASES for evidence in quiet],
    ids=lambda c: str(c)[:5],
)
def test_a_finding_is_not_found_where_it_is_not(code, evidence):
    assert code not in codes(evidence)


def test_nothing_is_found_where_nothing_is_known():
    assert find_all(Evidence("classification")) == []


def test_saturation_of_every_gate_is_judged_by_what_the_gate_does():
    assert "SQ308" in codes(gates(z=(0.0, 0.97)))  # nothing comes in
    assert "SQ308" in codes(gates(f=(0.97, 0.0)))  # nothing is kept
    assert "SQ308" in codes(gates(r=(0.5, 0.47)))  # a switch
    assert "SQ308" not in codes(gates(f=(0.0, 1.0), i=(0.0, 1.0), o=(0.0, 1.0), r=(1.0, 0.0)))


@pytest.mark.parametrize("task", ["regression", "tagging", "forecasting"])
def test_the_target_among_the_features_of_each_task(task):
    if task == "regression":
        y = RNG.normal(size=40)
        leaky, clean = (data(static(column), None, y, task) for column in (3 - 2 * y, y**2))
    elif task == "tagging":
        labels = (NOISE[..., 0] > 0).ravel()
        values = [np.concatenate([NOISE, column[..., None]], 2)
                  for column in (NOISE[..., 0] > 0, NOISE[..., 1] > 0)]  # fmt: skip
        leaky, clean = (data(of, None, labels, task) for of in values)
    else:
        rows = NOISE.reshape(1, -1, 2)
        given = {**SETTINGS, "data": {"future_covariates": ["f1"]}}
        targets = [rows[0, :, :1]]
        made = (np.stack([rows[..., 0], column], -1) for column in (9 * rows[..., 0], rows[..., 1]))
        leaky, clean = (Evidence(task, given, (part("data", of),), targets=targets) for of in made)
    assert "SQ106" in codes(leaky)
    assert "SQ106" not in codes(clean)


# thresholds -----------------------------------------------------------------------------------


def test_truths_that_are_drawn_from_the_probabilities_are_calibrated():
    """By chance they are not once in a thousand; of 200 draws hardly one."""
    rng, alarms = np.random.default_rng(0), 0
    for _ in range(200):
        n, k = int(rng.integers(50, 400)), int(rng.integers(2, 6))
        p = rng.dirichlet(np.ones(k), n)
        truth = (p.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
        drawn = ClassProbabilities(np.minimum(truth, k - 1), p)
        alarms += bool(codes(Evidence("classification", probabilities=drawn)))
    assert alarms <= 1


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(60, 300), kind=st.sampled_from("nwit"))
def test_noise_walks_and_trends_have_no_season(seed, n, kind):
    noise = np.random.default_rng(seed).normal(size=n)
    x = {"n": noise, "w": noise.cumsum(), "i": noise.cumsum().cumsum(), "t": noise + np.arange(n)}
    assert missed_season([x[kind]]) is None


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), season=st.integers(4, 30), trend=st.floats(-1, 1))
def test_a_season_is_found_whatever_the_unit_and_the_trend(seed, season, trend):
    rng = np.random.default_rng(seed)
    t = np.arange(8 * season + 60)
    pattern = np.sin(2 * np.pi * t / season) + 0.1 * rng.normal(size=len(t)) + trend * t
    for unit in (1.0, 1e-6, 1e6):
        assert missed_season([unit * pattern])[0] == season
    assert missed_season([pattern], season) is None


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), shared=st.booleans(), n=st.integers(1, 40))
def test_errors_without_structure_have_no_findings(seed, shared, n):
    """Windows that err independently, each series by itself or all by the same shock."""
    rng = np.random.default_rng(seed)
    errors = rng.normal(size=(n, 12, 6)) + 2 * rng.normal(size=(1 if shared else n, 12, 1))
    assert not codes(windows(errors, season=3))


# docs -----------------------------------------------------------------------------------------


def test_the_page_has_a_section_a_row():
    docs = Path(__file__).resolve().parents[1] / "docs"
    spec = importlib.util.spec_from_file_location("make_findings", docs / "make_findings.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = (docs / "findings.md").read_text(encoding="utf-8")
    assert text == module.page(), "run python docs/make_findings.py"
    for row in some(FINDINGS.values()):
        page, anchor = row.docs.split("#")
        assert (docs.parent / page).is_file()
        assert f'<a id="{anchor}"></a>\n### {row.code} {row.title}' in text
        assert row.meaning
        assert row.threshold
        assert row.ignore


def test_what_mends_names_settings_that_there_are():
    from seqkit.recipe.schema import RECIPES, leaves

    known = {path for task in RECIPES.values() for path in leaves(task)}
    sections = {path.split(".")[0] for path in known}
    tops = {path.rpartition(".")[0] for path in known}
    for code, evidence in some(FIRES.items()):
        texts = [FINDINGS[code].mend, *(one["mend"] for one in find_all(evidence))]
        for text in texts:
            words = text.replace(":", " ").replace(",", " ").replace("(", " ").split()
            named = {w.rstrip(".;)") for w in words if "." in w and w.split(".")[0] in sections}
            assert named <= known | tops, code


@pytest.mark.parametrize(
    ("code", "setting", "value"),
    [
        ("SQ301", "train.class_weight", "balanced"),
        ("SQ302", "train.calibrate", True),
        ("SQ304", "model.normalize", "last"),
    ],
)
def test_nobody_is_told_to_set_what_is_set(code, setting, value):
    section, name = setting.split(".")
    plain = FIRES[code]
    given = replace(plain, settings={**plain.settings, section: {name: value}})
    mends = [
        next(one["mend"] for one in find_all(evidence) if one["code"] == code)
        for evidence in (plain, given)
    ]
    assert setting in mends[0]
    assert setting not in mends[1]


# where they stand -----------------------------------------------------------------------------


def test_what_the_verdict_says_is_not_said_twice():
    evidence = FIRES["SQ002"]
    found, verdict = find_all(evidence), evidence.verdict
    assert {one["code"] for one in found} == {"SQ001", "SQ002"}
    assert untold(found, verdict) == []
    assert finding_lines(found, verdict, "there") == []
    assert len(finding_lines(found, None, "there")) == 2


def test_a_terminal_is_told_three_and_how_many_more():
    one = find_all(FIRES["SQ205"])[0]
    lines = finding_lines([one] * 5, None, "the report has all")
    assert len(lines) == 4
    assert lines[0].startswith("SQ205 warning: In ")
    assert lines[3] == "2 more findings: the report has all"
    info = find_all(FIRES["SQ104"])
    assert finding_lines(info, None, "the report has it") == ["1 finding: the report has it"]


EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def leaky(tmp_path_factory):
    """A file whose test part is in the training part, and a column of an evil name is constant."""
    folder = tmp_path_factory.mktemp("leaky")
    rng = np.random.default_rng(0)
    frames = []
    for number in range(40):
        x = rng.normal(number % 2, 1, 12)
        frames.append(pd.DataFrame({"id": number, "t": range(12), "x": x, EVIL: 1.0,
                                    "label": "ab"[number % 2]}))  # fmt: skip
    pd.concat(frames).to_csv(folder / "train.csv", index=False)
    pd.concat(frames[:10]).to_csv(folder / "test.csv", index=False)
    (folder / "recipe.yaml").write_text(
        "version: 1\ntask: classification\nseed: 0\n"
        "data: {path: train.csv, test_path: test.csv, series_id: id, time: t, target: label}\n"
        "model: {cell: gru, units: 3, patch: 3}\ntrain: {epochs: 2}\n"
    )
    return folder


def call(*arguments, status=0):
    result = CliRunner().invoke(cli, [str(a) for a in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == status, result.output
    return result.output


def test_findings_of_a_run_stand_in_report_json_and_terminal(leaky):
    text = call("fit", leaky / "recipe.yaml", "--out", leaky / "runs")
    assert "SQ101 error: 10 series of the test part are in the training part" in " ".join(
        text.split()
    )
    assert "SQ107" in text
    [run] = (leaky / "runs").iterdir()
    record = json.loads((run / "metrics.json").read_text())
    assert {"SQ101", "SQ107"} <= {one["code"] for one in record["findings"]}
    assert record["findings"][0]["severity"] == "error"
    page = (run / "report.html").read_text()
    assert page.index("SQ101") < page.index("<h2>Scores</h2>")
    assert "docs/findings.md#sq101" in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    document = json.loads(call("fit", leaky / "recipe.yaml", "--out", leaky / "runs", "--json"))
    assert document["metrics"]["findings"] == record["findings"]  # equal runs have equal files


def test_a_report_of_a_run_from_before_there_were_findings(leaky, tmp_path):
    (tmp_path / "run.json").write_text('{"status": "complete"}')
    scores = dict(FIRES["SQ001"].scores)
    (tmp_path / "metrics.json").write_text(json.dumps(scores))
    assert "Findings</h2>" not in write_report(tmp_path).read_text()


def test_check_is_a_linter_of_data(leaky, tmp_path):
    recipe = leaky / "recipe.yaml"
    assert "no errors" in call("check", recipe)
    text = call("check", recipe, "--data", status=1)
    assert "SQ101 error" in text
    assert "no errors in the recipe, 2 findings" in " ".join(text.split())
    assert call("check", "--data", recipe, status=1) == text
    document = json.loads(call("check", recipe, "--data", "--json", status=1))
    assert [one["code"] for one in document["findings"]] == ["SQ101", "SQ107"]
    given = ["--series-id", "id", "--time", "t", "--target", "label"]
    text = call("check", "--data", leaky / "train.csv", *given, status=1)
    assert "SQ107 warning" in text
    clean = pd.read_csv(leaky / "train.csv").drop(columns=EVIL)
    clean.to_csv(tmp_path / "clean.csv", index=False)
    text = call("check", "--data", tmp_path / "clean.csv", *given)
    assert "no findings" in " ".join(text.split())
    document = json.loads(call("check", "--data", tmp_path / "clean.csv", *given, "--json"))
    assert document["findings"] == []


def test_options_of_a_check_that_do_not_go_together(leaky):
    assert "Give a recipe, or --data FILE" in call("check", status=2)
    assert "Give a recipe, or --data FILE" in call("check", "--data", status=2)
    assert "--target is for a file" in call(
        "check", leaky / "recipe.yaml", "--target", "x", status=2
    )
    assert "for a recipe" in call("check", "--data", leaky / "train.csv", "--show", status=2)


def test_the_data_of_a_recipe_may_be_replaced_for_a_check(leaky):
    found = json.loads(
        call("check", leaky / "recipe.yaml", "--data", leaky / "test.csv", "--json", status=1)
    )
    assert "SQ101" in {one["code"] for one in found["findings"]}


@pytest.mark.parametrize("name", DATASETS)
def test_the_embedded_sets_are_quiet(name):
    recipe = {"task": DATASETS[name].task, "seed": 0, "data": {"dataset": name}}
    assert check_findings(read_recipe(recipe))[1] == []


def test_of_many_values_some_series_are_looked_at_and_that_is_said(leaky, monkeypatch):
    monkeypatch.setattr(gathering, "MOST_VALUES", 300)
    sizes, found = check_findings(read_recipe(leaky / "recipe.yaml"))
    assert any("of 50 series were looked at" in line for line in sizes["said"])
    assert "SQ107" in {one["code"] for one in found}


def test_gates_are_those_of_the_plain_step():
    rng = np.random.default_rng(0)
    X = 3 * rng.normal(size=(20, 15, 2))
    plain = {"patch": 1, "pyramid": 1, "stem": None, "overlap": 0, "bidirectional": False,
             "scale": "none", "moves": []}  # fmt: skip
    model = SequenceRegressor(cell="lstm", units=5, epochs=1, **plain).fit(X, X[:, 0, 0])
    from seqkit.network.keras.kernels.reference import gates_over_time

    nought = (np.zeros((20, 5), "float32"),) * 2
    weights = Weights(*model._member_weights()[0][:3], None, None)
    expected = gates_over_time(find_cell("lstm"), X.astype("float32"), weights, nought)
    rows = some(gate_shares(model, X))
    assert [row.gate for row in rows] == ["i", "f", "o"]
    for row in rows:
        gate = np.asarray(expected[row.gate])
        assert row.below == pytest.approx(float((gate < 0.1).mean()), abs=2e-3)
        assert row.above == pytest.approx(float((gate > 0.9).mean()), abs=2e-3)


@pytest.mark.parametrize("metric", ["mae", "rmse", "r2"])
def test_a_test_part_far_below_is_found_by_any_metric(metric):
    assert "SQ003" in codes(numbers_held(0.9, 0.4, metric))
    assert "SQ003" in codes(numbers_held(0.9, 0.65, metric))
    assert "SQ003" not in codes(numbers_held(0.4, 0.9, metric))
    assert "SQ003" not in codes(numbers_held(0.4, 0.4, metric))
    few = numbers_held(0.9, 0.4, n=20)
    assert "SQ003" not in codes(few)
    assert "SQ003" in codes(replace(few, task="forecasting"))  # windows, of which ten are enough


def test_a_difference_that_may_be_chance_is_no_finding():
    """Errors of few series with heavy tails: their means differ by more than they say."""
    rng = np.random.default_rng(0)
    fired = 0
    for _ in range(60):
        errors = rng.standard_t(2.5, size=(2, 60))
        evidence = held_scores("regression", "mae", np.zeros(60), *errors)
        fired += "SQ003" in codes(evidence)
    assert fired <= 1


def test_findings_of_a_training_look_at_all_networks_and_name_the_worst():
    alone = trained(RESTS, RISES)
    first = {"history": trained(RESTS, RESTS).history}
    worse = trained(RESTS, np.r_[RISES[:20], 2 * RISES[20:]]).history
    several = replace(alone, **first, others=((alone.history, -1), (worse, -1)))
    found = next(one for one in find_all(several) if one["code"] == "SQ202")
    assert found["evidence"]["network"] == 3
    assert found["evidence"]["networks"] == [2, 3]
    assert found["sentence"].endswith("That is network 3 of 3, the worst of 2 with this finding.")
    assert "SQ202" not in codes(replace(alone, **first))
    kept = replace(several, others=((alone.history, 19), (worse, 19)))
    assert "SQ202" not in codes(kept)
    clipped = trained(RESTS, clipped=[0.9] * 100).history
    assert "SQ206" in codes(replace(trained(RESTS), others=((clipped, -1),)))
    assert worst_network([None, None]) is None
    assert worst_network([Found("a.", weight=1.0), Found("b.", weight=1.0)]).numbers["network"] == 1


def test_saturated_gates_of_any_network_are_found():
    shut = GateShares("recurrent_1", "", "i", 0.99, 0.0, network=2)
    rows = [GateShares("recurrent_1", "", "i", 0.1, 0.1), shut]
    found = next(
        one for one in find_all(Evidence("classification", SETTINGS, gates=rows))
        if one["code"] == "SQ308"
    )  # fmt: skip
    assert found["evidence"]["network"] == 2
    assert "network 2 of 2, the only one" in found["sentence"]


def test_gates_of_every_network_are_counted():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(12, 15, 2))
    model = SequenceRegressor(cell="lstm", units=5, epochs=1, ensemble=2, random_state=0).fit(
        X, X[:, 0, 0]
    )
    first, second = ([r for r in gate_shares(model, X) if r.network == n] for n in (1, 2))
    assert [(r.layer, r.direction, r.gate) for r in first] == [
        (r.layer, r.direction, r.gate) for r in second
    ]
    alone = [r for r in gate_shares(_only(model, 1), X) if r.network == 1]
    assert [(r.below, r.above) for r in alone] == [(r.below, r.above) for r in second]


def _only(model, number):
    """Return a model of one of the networks."""
    import copy

    one = copy.deepcopy(model)
    weights = model._member_weights()
    kept = [weights[number]] * len(weights)
    one.weights_ = [w for part in kept for w in part]
    return one


def wander(e, share):
    """Return noise that remembers a share of itself."""
    x = np.zeros(len(e))
    for i in range(1, len(e)):
        x[i] = share * x[i - 1] + e[i]
    return x


def test_a_season_is_found_beside_what_hides_it():
    noise, t = np.random.default_rng(1).normal(size=240), np.arange(240)
    wave = np.sin(2 * np.pi * t / 12)
    gappy = 5 * wave + noise
    gappy[[3, 50, 51, 120]] = np.nan
    hidden = {
        "gaps": [gappy],
        "random walk": [np.cumsum(noise) + 6 * wave],
        "bent trend": [t**2 / 300 + 8 * wave + noise],
        "level shift": [30 * (t > 120) + 5 * wave + noise],
        "short series among long ones": [*[5 * wave + noise] * 5, (5 * wave + noise)[:60]],
    }
    for name, targets in some(hidden.items()):
        found = missed_season(targets)
        assert found is not None, name
        assert found[0] == 12, name
        assert missed_season(targets, 12) is None, name
    long = [np.tile(np.arange(24.0), 20) + np.random.default_rng(k).normal(size=480)
            for k in range(4)]  # fmt: skip
    assert missed_season([*long, long[0][:60]])[0] == 24


def test_what_oscillates_or_wanders_has_no_season():
    for seed in range(8):
        noise = np.random.default_rng(seed).normal(size=240)
        nothing = [noise, np.cumsum(noise), np.cumsum(np.cumsum(noise)), wander(noise, 0.9),
                   wander(noise, -0.7), noise + 30 * (np.arange(240) > 120)]  # fmt: skip
        assert [missed_season([x]) for x in nothing] == [None] * len(nothing)
    gone = np.full(100, np.nan)
    assert missed_season([gone]) is None


def frames_of(task, size, seed):
    """Return predictions as a run keeps them, whose errors are of this size (or so often)."""
    rng = np.random.default_rng(seed)
    if task == "tagging":
        n, steps = 60, 20
        true = rng.integers(0, 2, n * steps).astype(str)
        wrong = rng.random(n * steps) < size
        said = np.where(wrong, np.where(true == "0", "1", "0"), true)
        return pd.DataFrame({"series": np.repeat(np.arange(n), steps),
                             "step": np.tile(np.arange(steps), n), "true": true,
                             "predicted": said})  # fmt: skip
    if task == "regression":
        true = rng.normal(size=120)
        return pd.DataFrame({"series": "same", "true": true,
                             "predicted": true + size * rng.normal(size=120)})  # fmt: skip
    window, step = np.indices((30, 6)).reshape(2, -1)
    true = rng.normal(size=180)
    return pd.DataFrame({
        "series": "one", "window": window, "step": step + 1, "row": 50 + 6 * window + step,
        "target": "y", "true": true, "forecast": true + size * rng.normal(size=180),
        "naive_mae": 1.0, "naive_mse": 1.0,
    })  # fmt: skip


@pytest.mark.parametrize(
    ("task", "metric"), [("tagging", "accuracy"), ("regression", "mae"), ("forecasting", "mae")]
)
def test_both_parts_are_scored_as_runs_are_compared(task, metric):
    def fired(test, validation):
        document = {"parts": {"test": {"model": {metric: 0.0}}}, "n": {"test": {"series": 1}}}
        held = None if validation is None else lambda: frames_of(task, validation, 1)
        assessment = Assessment(document, frames_of(task, test, 0), {}, dict, None, held)
        scores = gathering._held_scores(task, assessment)
        if scores is not None:
            assert {one.metric for one in scores.values()} == {metric}
            assert scores["test"].n == {"tagging": 60, "regression": 120, "forecasting": 30}[task]
        return "SQ003" in codes(Evidence(task, SETTINGS, held_scores=scores))

    assert fired(0.4, 0.1)
    assert not fired(0.1, 0.4)
    assert not fired(0.2, 0.2)
    assert not fired(0.4, None)


def test_the_validation_part_is_forecast_where_there_is_one(tmp_path):
    """The same model does badly where the series has become another one."""
    rng, t = np.random.default_rng(0), np.arange(600)
    y = 10 + 3 * np.sin(2 * np.pi * t / 6) + 0.1 * rng.normal(size=600)
    y[480:] += 6 * rng.normal(size=120)
    stamps = pd.date_range("2024-01-01", periods=600, freq="h")
    pd.DataFrame({"time": stamps, "y": y}).to_csv(tmp_path / "y.csv", index=False)
    recipe = {
        "version": 1, "task": "forecasting", "seed": 0,
        "data": {"path": str(tmp_path / "y.csv"), "time": "time", "target": "y",
                 "split": {"method": "time", "validation": 120, "test": 120}},
        "forecast": {"context_length": 12, "horizon": 6},
        "model": {"units": 8}, "train": {"epochs": 8, "ensemble": 1},
        "evaluate": {"season": 6, "backtest": {"windows": 15, "step": 6}},
    }  # fmt: skip
    folder = Path(run(recipe, out=tmp_path / "runs").document["run"])
    findings = json.loads((folder / "metrics.json").read_text())["findings"]
    found = next(one for one in findings if one["code"] == "SQ003")
    assert found["evidence"]["metric"] == "mae"
    assert found["evidence"]["test"] > 2 * found["evidence"]["validation"]
