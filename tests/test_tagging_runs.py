"""Tagging from file to report: reading, metrics, baselines, runs, and series that go on."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from conftest import some
from hypothesis import given, settings
from hypothesis import strategies as st

from seqkit import DataError, RunError, SequenceTagger, load_run, run
from seqkit.cells import CELLS
from seqkit.cli import cli
from seqkit.data.step_tables import read_steps, steps_of_text
from seqkit.data.steps import Steps, following
from seqkit.estimators.generating import next_token
from seqkit.evaluation.baselines import SeriesProblem, run_baselines
from seqkit.evaluation.metrics import METRICS, Predictions
from seqkit.evaluation.summary import score_model
from seqkit.network.native import NativeNetwork
from seqkit.network.streams import NetworkStream
from seqkit.network.tagging import tagger
from seqkit.recipe.reading import read_recipe
from seqkit.runs.experiment import evaluate, generate, predict
from seqkit.runs.flows import check_data

WORDS = ["the dog barks", "a dog", "the cat sees the dog", "NA sees a cat", "the None barks"]
TAGS = ["D N V", "D N", "D N V D N", "P V D N", "D P V"]


def frame(times=6):
    rows = [
        (f"s{k}{i}", word, tag)
        for k in range(times)
        for i in range(len(WORDS))
        for word, tag in zip(WORDS[i].split(), TAGS[i].split(), strict=True)
    ]
    return pd.DataFrame(rows, columns=["sentence", "word", "tag"])


def recipe(folder, **changed):
    frame().to_csv(folder / "train.csv", index=False)
    data = {"path": str(folder / "train.csv"), "series_id": "sentence", "features": ["word"],
            "target": "tag"}  # fmt: skip
    return {
        "task": "tagging",
        "data": {**data, **changed},
        "model": {"units": 6},
        "train": {"epochs": 3},
    }


# --- metrics and baselines ----------------------------------------------------------------------


def runs_of(labels):
    """The runs of one label, step by step."""
    found, begin = set(), 0
    for t in range(1, len(labels) + 1):
        if t == len(labels) or labels[t] != labels[begin]:
            found.add((begin, t, labels[begin]))
            begin = t
    return found


Labels = st.lists(st.sampled_from("abc"), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(st.lists(Labels, min_size=1, max_size=5), st.randoms())
def test_segments_are_counted_as_wholes(truth, random):
    predicted = [
        [random.choice("ab") if random.random() < 0.3 else c for c in one] for one in truth
    ]
    both = sum(len(runs_of(a) & runs_of(b)) for a, b in zip(truth, predicted, strict=True))
    n_true, n = sum(len(runs_of(one)) for one in truth), sum(len(runs_of(one)) for one in predicted)
    precision, recall = both / n, both / n_true
    expected = 2 * precision * recall / (precision + recall) if both else 0.0
    scores = score_model(
        "tagging", truth, Predictions(labels=predicted), metrics=["segment_f1", "accuracy"]
    )
    assert scores["model"]["segment_f1"] == pytest.approx(expected)
    same = [
        a == b for x, y in zip(truth, predicted, strict=True) for a, b in zip(x, y, strict=True)
    ]
    assert scores["model"]["accuracy"] == pytest.approx(np.mean(same))


def test_likelihoods_by_hand():
    probabilities = [np.array([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]]), np.array([[0.2, 0.2, 0.6]])]
    labels = [np.array(["b", "a"]), np.array(["a"])]
    given = {"metrics": ["nll", "bits"], "classes": ["b", "c", "a"]}
    prediction = Predictions(labels=labels, probabilities=probabilities)
    scores = score_model("tagging", labels, prediction, **given)["model"]
    expected = -(math.log(0.5) + math.log(0.1) + math.log(0.6)) / 3
    assert scores["nll"] == pytest.approx(expected)
    assert scores["bits"] == pytest.approx(expected / math.log(2))
    many = score_model(
        "tagging", [np.array([[1, 0], [1, 1]])],
        Predictions(probabilities=[np.array([[0.9, 0.2], [0.5, 0.3]])]), metrics=["nll"],
    )["model"]  # fmt: skip
    losses = -np.log([0.9 * 0.8, 0.5 * 0.3])  # summed over labels
    assert many["nll"] == pytest.approx(losses.mean())
    unseen = score_model("tagging", [np.array(["x"])], Predictions(
        labels=[labels[1]], probabilities=probabilities[1:]), **given)  # fmt: skip
    assert unseen["model"]["nll"] is None
    assert "never saw: x" in unseen["notes"][0]
    assert {"segment_f1", "nll", "bits"} <= {n for n, m in METRICS.items() if "tagging" in m.tasks}


def test_the_most_frequent_label_of_a_token():
    tokens, labels = np.array(list("aaabbc")), np.array(list("xxyyyx"))
    train = Steps(np.zeros((6, 1)), np.array([0, 4, 6]), ("t",), tokens=tokens, labels=labels)
    asked = Steps(np.zeros((4, 1)), np.array([0, 1, 4]), ("t",), tokens=np.array(list("abcd")))
    problem = SeriesProblem(train, train.each(labels), asked, ["x", "y"])
    found = run_baselines("tagging", problem)[0]["token_majority"]
    assert np.concatenate(found.labels).tolist() == ["x", "y", "x", "x"]
    half = np.array([0.5, 0.5])  # the shares of both labels
    expected = [(np.array([2, 1]) + half) / 4, (np.array([0, 2]) + half) / 3,
                (np.array([1, 0]) + half) / 2, half]  # fmt: skip
    np.testing.assert_allclose(np.concatenate(found.probabilities), expected)
    numbers = SeriesProblem([np.zeros((2, 1))], [np.array(["x", "y"])], [np.zeros((3, 1))])
    predictions, notes = run_baselines("tagging", numbers)
    assert list(predictions) == ["majority"]
    assert "token_majority: left out" in notes[0]


# --- reading ------------------------------------------------------------------------------------


def test_tables_of_tokens(tmp_path):
    table = frame(1)
    table.to_csv(tmp_path / "a.csv", index=False)
    roles = {"series_id": "sentence", "features": ["word"], "target": "tag"}
    steps = read_steps(tmp_path / "a.csv", **roles)
    assert [" ".join(one) for one in steps.each(steps.tokens)] == WORDS  # NA and None are words
    assert [" ".join(one) for one in steps.each(steps.labels)] == TAGS
    some_of = steps[[3, 0]]
    assert some_of.each(some_of.labels)[1].tolist() == ["D", "N", "V"]
    table.iloc[::-1].to_csv(tmp_path / "b.csv", index=False)
    both = read_steps([tmp_path / "a.csv", tmp_path / "b.csv"], **roles)
    assert len(both) == 10
    assert both.lengths.tolist() == [*steps.lengths, *steps.lengths[::-1]]
    # equal series have equal values, whatever file they are of
    np.testing.assert_array_equal(both[0].values[0], both[9].values[2])
    nexts = following(steps)
    assert [" ".join(one) for one in nexts.each(nexts.labels)] == [
        " ".join(one.split()[1:]) for one in WORDS
    ]


def test_tables_of_numbers(tmp_path):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {"id": np.repeat([1, 2], 5), "t": [*range(5)] * 2, "a": rng.normal(size=10)}
    )
    table = table.assign(b=2 * table["a"], phase=[3, 3, 10, 10, 10] * 2)
    table.to_csv(tmp_path / "a.csv", index=False)
    roles = {"series_id": "id", "time": "t", "target": "phase"}
    steps = read_steps(tmp_path / "a.csv", **roles)
    assert (steps.tokens, steps.features) == (None, ("a", "b"))
    assert steps.labels.tolist() == [3, 3, 10, 10, 10] * 2  # numbers, as everywhere
    np.testing.assert_allclose(steps.values, table[["a", "b"]])
    with pytest.raises(DataError, match="target must be a column of the file"):
        read_steps(tmp_path / "a.csv", **{**roles, "target": "phas"})
    table.assign(t=0).to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(DataError, match=r"a\.csv:3: time 't' must be ascending"):
        read_steps(tmp_path / "a.csv", **roles)
    table.assign(phase=[1, None] * 5).to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(DataError, match=r"a\.csv:3: .*'phase' must be present in every row"):
        read_steps(tmp_path / "a.csv", **roles)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text("ab é", max_size=700), min_size=1, max_size=12))
def test_a_text_is_cut_at_its_lines(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp("text") / "a.txt"
    text = "\n".join(lines) + "\n"
    path.write_text(text, encoding="utf-8", newline="")
    steps = steps_of_text(path)
    parts = ["".join(one) for one in steps.each(steps.tokens)]
    assert "".join(parts) == text
    assert all(part.endswith("\n") for part in parts)


# --- runs ---------------------------------------------------------------------------------------


def test_a_run_from_table_to_report(tmp_path):
    done = run(recipe(tmp_path), out=tmp_path / "runs").document
    scores = json.loads((tmp_path / "runs" / done["run"] / "metrics.json").read_text())
    assert list(scores["parts"]["test"]["baselines"]) == ["majority", "token_majority"]
    assert scores["n"]["test"].keys() == {"series", "steps"}
    assert "segment F1" in (tmp_path / "runs" / done["run"] / "report.html").read_text("utf-8")
    again = evaluate(done["run"]).document["metrics"]
    assert again["parts"] == scores["parts"]
    untagged = frame(1).drop(columns="tag")
    untagged.to_csv(tmp_path / "new.csv", index=False)
    predict(done["run"], str(tmp_path / "new.csv"), tmp_path / "out.csv", proba=True)
    out = pd.read_csv(tmp_path / "out.csv", keep_default_na=False)
    assert out["token"].tolist() == untagged["word"].tolist()
    model = load_run(done["run"])
    assert out["predicted"].tolist() == np.concatenate(
        [np.asarray(one) for one in model.predict([one.split() for one in WORDS])]
    ).tolist()  # fmt: skip
    np.testing.assert_allclose(out[["p_D", "p_N", "p_P", "p_V"]].sum(axis=1), 1)
    saved = pd.read_parquet(tmp_path / "runs" / done["run"] / "predictions.parquet")
    own = {"series", "step", "token", "true", "predicted", "probability", "true_probability"}
    assert own == set(saved.columns)


def test_an_estimator_does_what_a_run_does(tmp_path):
    settings_ = recipe(tmp_path, split={"test": 0.2})
    done = run(settings_, out=tmp_path / "runs").estimator
    flow_parts = read_steps(tmp_path / "train.csv", series_id="sentence", features=["word"],
                            target="tag")  # fmt: skip
    assert set(done.tokens_) <= set(flow_parts.tokens)
    resolved = next((tmp_path / "runs").glob("*")) / "recipe.resolved.yaml"
    again = run(read_recipe(resolved), out=tmp_path / "runs").estimator
    for a, b in some(zip(done.weights_, again.weights_, strict=True)):
        np.testing.assert_array_equal(a, b)


def test_a_recipe_of_numbers(tmp_path):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"id": np.repeat(np.arange(20), 9), "a": rng.normal(size=180)})
    table["phase"] = np.where(table["a"] > 0, "up", "down")
    table.to_csv(tmp_path / "train.csv", index=False)
    settings_ = {
        "task": "tagging", "model": {"units": 4}, "train": {"epochs": 30, "learning_rate": 0.03},
        "data": {"path": str(tmp_path / "train.csv"), "series_id": "id", "target": "phase"},
    }  # fmt: skip
    done = run(settings_, out=tmp_path / "runs")
    scores = done.scores["parts"]["test"]
    assert list(scores["baselines"]) == ["majority"]
    assert scores["model"]["accuracy"] > 0.9
    assert done.scores["verdict"]["better"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"target": None}, "must be a column's name, or next"),
        ({"target": "tags"}, "did you mean 'tag'"),
        ({"features": ["tag"]}, "a column with no second role"),
        ({"target": "next", "features": ["n", "word"]}, "word"),
        ({"path": "{folder}/none.ts"}, "none.ts"),
    ],
)
def test_recipes_that_cannot_be(tmp_path, changed, message):
    changed = {k: v.format(folder=tmp_path) if k == "path" else v for k, v in changed.items()}
    made = recipe(tmp_path, **changed)
    frame().assign(n=1.5).to_csv(tmp_path / "train.csv", index=False)
    with pytest.raises(ValueError, match=message):
        check_data(read_recipe(made))


def test_commands_that_go_on_with_a_text(tmp_path):
    (tmp_path / "a.txt").write_text("abcabcabc\n" * 700)
    settings_ = {
        "task": "tagging", "data": {"path": str(tmp_path / "a.txt"), "target": "next"},
        "model": {"units": 8}, "train": {"epochs": 40, "learning_rate": 0.03},
    }  # fmt: skip
    done = run(settings_, out=tmp_path / "runs")
    assert done.scores["parts"]["test"]["model"]["bits"] < 0.5
    folder = done.document["run"]
    command = ["generate", folder, "--steps", "8", "--start", "ab", "--temperature", "0"]
    told = CliRunner().invoke(cli, command)
    assert told.exit_code == 0, told.output
    assert told.output.rstrip("\n").startswith("abcabcabc")
    told = CliRunner().invoke(cli, [*command, "--json", "--top-k", "2", "--seed", "4"])
    assert json.loads(told.output)["text"].startswith("abcabcabc")
    told = CliRunner().invoke(cli, [*command[:4], "--start", "q"])
    assert told.exit_code == 2
    assert "every token of start must be of the 4 tokens of the fit; got 'q'" in told.output
    tags = run(recipe(tmp_path), out=tmp_path / "runs").document["run"]
    with pytest.raises(RunError, match=r"needs a run with data\.target: next"):
        generate(tags, 5)


# --- going on -----------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", CELLS)
def test_steps_one_by_one_are_the_whole_series(cell):
    network = tagger(
        None, None, 5, n_tokens=6, cell=cell, units=[4, 4], bidirectional=False, residual=True,
        dense=[3],
    )  # fmt: skip
    native = NativeNetwork(network)
    weights = [w * 3 for w in network.initial_weights(1)]
    native.weights.load(weights)
    x = np.random.default_rng(0).integers(0, 6, (3, 11)).astype(np.int32)
    whole = native.forward(x, training=False)
    for cuts in ([*range(1, 11)], [4, 5], []):
        stream = NetworkStream([network], [weights], 3)
        parts = [stream.run(block) for block in np.split(x.T[:, :, None], cuts)]
        np.testing.assert_array_equal(np.concatenate(parts).transpose(1, 0, 2), whole)


def test_a_network_of_both_directions_has_no_steps():
    network = tagger(None, 1, 2, units=3)
    with pytest.raises(ValueError, match="of one direction"):
        NetworkStream([network], [network.initial_weights(0)])


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.floats(-3, 3), min_size=2, max_size=6),
    st.floats(0.3, 3),
    st.one_of(st.none(), st.integers(1, 6)),
)
def test_tokens_are_drawn_by_their_probabilities(logits, temperature, top_k):
    rng, logits = np.random.default_rng(0), np.array(logits)
    n = 3000
    drawn = np.bincount([next_token(logits, temperature, top_k, rng) for _ in range(n)],
                        minlength=len(logits)) / n  # fmt: skip
    kept = sorted(range(len(logits)), key=lambda i: (-logits[i], i))[:top_k]
    shares = np.zeros(len(logits))
    shares[kept] = np.exp(logits[kept] / temperature)
    np.testing.assert_allclose(drawn, shares / shares.sum(), atol=0.05)


@pytest.fixture(scope="module")
def writer():
    texts = ["abcdabcd", "cdabcdab"] * 8
    return SequenceTagger(units=12, target="next", epochs=60, learning_rate=0.03,
                          random_state=0).fit(texts)  # fmt: skip


def test_what_is_generated_is_what_the_model_predicts(writer):
    """Greedily, and by drawing from `predict_proba` of all that came before."""
    text = "ab"
    for _ in range(10):
        text += str(writer.predict([text])[0][-1])
    assert writer.generate(10, "ab", temperature=0) == text[2:]
    rng, drawn = np.random.default_rng(7), "ab"
    for _ in range(10):
        shares = np.cumsum(writer.predict_proba([drawn])[0][-1])
        drawn += str(writer.classes_[np.searchsorted(shares, rng.random(), side="right")])
    assert writer.generate(10, "ab", seed=7) == drawn[2:]


def test_generating_is_decided_by_its_seed(writer):
    assert writer.generate(30, seed=1) == writer.generate(30, seed=1)
    assert len({writer.generate(30, temperature=5, seed=k) for k in range(5)}) == 5
    assert writer.generate(30, "a", top_k=1) == writer.generate(30, "a", temperature=0)
    assert len(writer.generate(1)) == 1
    firsts = [writer.generate(1, seed=k) for k in range(200)]
    assert set(firsts) == set("abcd")  # by their shares
    words = SequenceTagger(units=4, target="next", epochs=1, random_state=0)
    found = words.fit([["to", "be", "or"], ["not", "to"]]).generate(3, ["to"], seed=0)
    assert isinstance(found, list)
    assert set(found) <= {"to", "be", "or", "not"}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_steps": 0}, "n_steps must be a positive integer; got 0"),
        ({"n_steps": 3, "temperature": -1}, "temperature must be a number of 0 or more; got -1"),
        ({"n_steps": 3, "top_k": 0}, "top_k must be a positive integer or None; got 0"),
        ({"n_steps": 3, "start": "az"}, "every token of start must be of the 4 tokens"),
    ],
)
def test_what_cannot_be_drawn(writer, wrong, message):
    with pytest.raises(ValueError, match=message):
        writer.generate(**wrong)


def test_only_models_of_next_tokens_generate():
    model = SequenceTagger(units=2, epochs=1).fit([["a", "b"]] * 4, [["x", "y"]] * 4)
    with pytest.raises(ValueError, match='must be fitted with target="next"'):
        model.generate(3)


# --- several labels a step ----------------------------------------------------------------------


def rolls(n_series, seed=0):
    """Return series of two of five labels, each step decided by the one before."""
    rng = np.random.default_rng(seed)
    steps = [rng.integers(5) + np.arange(rng.integers(3, 16)) for _ in range(n_series)]
    eye = np.eye(5, dtype=int)
    return [eye[t % 5] + eye[(t + 2) % 5] for t in steps]


@pytest.fixture(scope="module")
def player():
    settings_ = {"units": 12, "epochs": 50, "scale": "none", "learning_rate": 0.02}
    return SequenceTagger(**settings_, target="next", random_state=0).fit(rolls(30))


def test_the_labels_of_the_next_step_are_learned(player):
    test = rolls(5, 1)
    assert player.score(test) > 0.99
    assert [one.shape for one in player.predict_proba(test)] == [one.shape for one in test]
    # it is the tagger whose labels are those of the next step
    X, y = [one[:-1].astype(float) for one in test], [one[1:] for one in test]
    own = SequenceTagger(units=3, epochs=2, bidirectional=False, random_state=0, dropout=0)
    asked = SequenceTagger(units=3, epochs=2, target="next", random_state=0, dropout=0)
    a, b = own.set_params(scale="none").fit(X, y), asked.set_params(scale="none").fit(test)
    for one, other in some(zip(a.predict_proba(X), b.predict_proba(X), strict=True)):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_labels_that_are_drawn_are_those_of_the_model(player):
    begin = rolls(1, 2)[0][:3]
    roll = begin
    for _ in range(8):  # asked anew at each step
        roll = np.concatenate([roll, player.predict([roll])[0][-1:]])
    drawn = player.generate(8, begin, temperature=0)
    np.testing.assert_array_equal(drawn, roll[3:])
    p = player.predict_proba([begin])[0][-1]
    firsts = np.array([player.generate(1, begin, temperature=3.0, seed=k)[0] for k in range(800)])
    expected = 1 / (1 + np.exp(-np.log(p / (1 - p)) / 3))
    np.testing.assert_allclose(firsts.mean(0), expected, atol=0.06)
    few = [player.generate(1, begin, temperature=9.0, top_k=1, seed=k).sum() for k in range(50)]
    assert set(few) <= {0, 1}
    sure = [player.generate(1, begin, threshold=0.4, seed=k)[0] for k in range(50)]
    assert not np.array(sure)[:, p < 0.4].any()


def test_a_roll_without_a_beginning_begins_by_the_shares(player, tmp_path):
    rows = np.concatenate(rolls(30))
    firsts = np.array([player.generate(1, seed=k)[0] for k in range(800)])
    np.testing.assert_allclose(firsts.mean(0), rows.mean(0), atol=0.06)
    player.save(tmp_path / "model")
    again = SequenceTagger.load(tmp_path / "model")
    np.testing.assert_array_equal(again.generate(9, seed=3), player.generate(9, seed=3))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"start": [[0, 1]]}, r"start must be an array of shape \(n_timesteps, 5\) of 0 and 1"),
        ({"start": "ab"}, "start must be an array of shape"),
        ({"start": [[0, 2, 0, 0, 0]]}, "of 0 and 1; got"),
        ({"threshold": 1.0}, "threshold must be a number from 0 to below 1; got 1.0"),
    ],
)
def test_rolls_that_cannot_be_drawn(player, wrong, message):
    with pytest.raises(ValueError, match=message):
        player.generate(2, **wrong)


def test_a_threshold_is_of_labels(writer):
    with pytest.raises(ValueError, match="threshold must be left out with tokens"):
        writer.generate(3, "ab", threshold=0.1)


def test_commands_that_go_on_with_a_roll(tmp_path):
    parts = [pd.DataFrame(one, columns=[*"cdefg"]).assign(piece=k)
             for k, one in enumerate(rolls(24))]  # fmt: skip
    path = tmp_path / "rolls.csv"
    pd.concat(parts).to_csv(path, index=False)
    done = run({
        "task": "tagging", "data": {"path": str(path), "series_id": "piece", "target": "next"},
        "model": {"units": 12, "scale": "none"}, "train": {"epochs": 50, "learning_rate": 0.02},
    }, out=tmp_path / "runs")  # fmt: skip
    assert done.scores["parts"]["test"]["model"]["accuracy"] > 0.9
    folder, out = done.document["run"], tmp_path / "out.csv"
    command = ["generate", folder, "--steps", "5", "--start", str(path), "--temperature", "0"]
    told = CliRunner().invoke(cli, command)
    assert told.exit_code == 0, told.output
    first = rolls(24)[0]
    names = [" ".join(np.array([*"cdefg"])[row > 0]) for row in first]
    assert told.output.splitlines()[: len(first)] == names
    assert len(told.output.splitlines()) == len(first) + 5
    told = CliRunner().invoke(cli, [*command, "-o", str(out)])
    assert told.exit_code == 0, told.output
    table = pd.read_csv(out)
    assert table.columns.tolist() == ["step", *"cdefg"]
    expected = load_run(folder).generate(5, first, temperature=0)
    np.testing.assert_array_equal(table[[*"cdefg"]], [*first, *expected])
    told = CliRunner().invoke(cli, [*command[:4], "--seed", "1", "--json"])
    assert np.shape(json.loads(told.output)["steps"]) == (5, 5)


def test_a_long_series_is_answered_in_blocks(writer, monkeypatch):
    text = ["abcd" * 40 + "bb", "ab"]
    whole = writer.predict_proba(text)
    monkeypatch.setattr("seqkit.estimators.tagger.MOST_STEPS", 7)
    for a, b in some(zip(whole, writer.predict_proba(text), strict=True)):
        np.testing.assert_allclose(a, b, atol=1e-6)
