"""The problems of the field's history: that they are those of their papers, and their baselines.

Strings and answers are made here anew, from the words of the papers, and compared.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from conftest import some
from hypothesis import given, settings
from hypothesis import strategies as st

from seqkit import DataError, SequenceClassifier, SequenceRegressor
from seqkit.data import synthetic
from seqkit.data.embedded import load

SEEDS = st.integers(0, 2**32)
REBER = "B(?:TS*X{0}|PT*V(?:V|P{0}))E".format("(?:XT*VP)*(?:S|XT*VV)")
EMBEDDED = re.compile(rf"B(?P<way>[TP]){REBER}(?P=way)E")
PLAIN = {"bidirectional": False, "pooling": "last", "patch": 1, "ensemble": 1, "dropout": 0.0}
WORDS = [np.full((n, 2), n, float) for n in range(1, 6)]


def joined(n_series, seed=0, n_joined=(2, 5), silence=(0, 2)):
    return synthetic.join_series(WORDS, list("abcde"), n_series, n_joined, silence, "-", seed)


PROBLEMS = {
    "adding": synthetic.adding_problem,
    "copy": synthetic.copy_memory,
    "order": synthetic.temporal_order,
    "counting": synthetic.counting_language,
    "reber": synthetic.embedded_reber,
    "stream": synthetic.continual_reber,
    "spikes": synthetic.spike_delays,
    "joined": joined,
}
each = pytest.mark.parametrize("make", PROBLEMS.values(), ids=PROBLEMS)


def spelled(x, symbols):
    """Return the symbols of one-hot rows, and check that they are that."""
    assert set(np.unique(x)) <= {0, 1}
    assert (x.sum(axis=1) == 1).all()
    return "".join(symbols[code] for code in x.argmax(axis=1))


def named(step, symbols):
    return {symbol for symbol, legal in zip(symbols, step, strict=True) if legal}


def same(one, other):
    return len(one) == len(other) and all(map(np.array_equal, one, other))


def near(found, expected, deviation, n):
    """Tell whether a mean of n is within five standard errors."""
    return abs(found - expected) < 5 * deviation / np.sqrt(n)


@each
@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_a_seed_decides_everything(make, seed):
    one, again, other = (make(12, seed=s) for s in (seed, seed, seed + 1))
    assert same(one[0], again[0])
    assert same(one[1], again[1])
    assert not (same(one[0], other[0]) and same(one[1], other[1]))


@each
def test_estimators_take_what_is_made(make):
    X, y = make(20)
    if len(np.shape(y[0])):  # a label a step: that of the last one
        y = np.array([steps[-1] for steps in y])
    kind = SequenceRegressor if make is synthetic.adding_problem else SequenceClassifier
    model = kind(**PLAIN, units=2, epochs=1, random_state=0).fit(X, y)
    assert len(model.predict(X)) == 20


@settings(deadline=None)
@given(st.integers(1, 20), st.integers(2, 30), SEEDS)
def test_the_answer_of_adding_is_the_sum_of_two_marked_numbers(n_series, n_timesteps, seed):
    X, y = synthetic.adding_problem(n_series, n_timesteps, seed)
    assert X.shape == (n_series, n_timesteps, 2)
    assert ((X[:, :, 0] >= 0) & (X[:, :, 0] < 1)).all()
    for x, total in zip(X, y, strict=True):
        [first, second] = np.flatnonzero(x[:, 1])  # exactly two
        assert x[first, 1] == x[second, 1] == 1
        assert total == x[first, 0] + x[second, 0]


def test_the_baseline_of_adding():
    X, y = synthetic.adding_problem(20_000, 8)
    errors = (y - 1) ** 2
    assert near(errors.mean(), 1 / 6, errors.std(), len(y))
    for constant in (0.9, 1.1):
        assert ((y - constant) ** 2).mean() > errors.mean()
    marks = X[:, :, 1].mean(axis=0)  # any step, as often
    assert all(near(share, 2 / 8, 0.5, len(y)) for share in marks)


@settings(deadline=None)
@given(st.integers(1, 5), st.integers(1, 12), st.integers(1, 6), st.integers(2, 9), SEEDS)
def test_the_labels_of_copy_are_the_inputs(n_series, delay, n_copied, n_symbols, seed):
    X, y = synthetic.copy_memory(n_series, delay, n_copied, n_symbols, seed)
    length, blank, sign = delay + 2 * n_copied, n_symbols, n_symbols + 1
    assert X.shape == (n_series, length, n_symbols + 2)
    assert (X.sum(axis=2) == 1).all()
    shown = X.argmax(axis=2)
    assert (shown[:, :n_copied] < n_symbols).all()
    np.testing.assert_array_equal(y[:, -n_copied:], shown[:, :n_copied])
    assert (y[:, :-n_copied] == blank).all()
    assert ((shown == sign).sum(axis=1) == 1).all()
    assert (shown[:, -n_copied - 1] == sign).all()  # answers begin at the step after it
    assert (np.delete(shown[:, n_copied:], delay - 1, axis=1) == blank).all()


def test_the_baseline_of_copy():
    """The memoryless answer: certain of blanks, and at the end as likely each symbol."""
    T = 20
    _, y = synthetic.copy_memory(3000, T)
    answer = np.zeros((T + 20, 9))
    answer[:-10, 8], answer[-10:, :8] = 1, 1 / 8
    entropy = -np.log(answer[np.arange(T + 20), y]).mean()
    assert entropy == pytest.approx(10 * np.log(8) / (T + 20))
    right = (y == answer.argmax(axis=1)).mean()
    assert near(right, (T + 10 + 10 / 8) / (T + 20), 0.5, y.size)
    counts = np.bincount(y[:, -10:].ravel())
    assert near(counts.max() / counts.sum(), 1 / 8, 0.5, counts.sum())


@settings(deadline=None)
@given(st.sampled_from([2, 3]), st.integers(10, 130), SEEDS)
def test_the_class_of_temporal_order_is_the_order(n_relevant, n_timesteps, seed):
    X, y = synthetic.temporal_order(5, n_relevant, n_timesteps, seed)
    for x, label in zip(X, y, strict=True):
        string = spelled(x, synthetic.TEMPORAL_ORDER_SYMBOLS)
        assert re.fullmatch("E[abcdXY]*B", string)
        assert "".join(re.findall("[XY]", string)) == label
        assert len(label) == n_relevant
        assert n_timesteps <= len(string) <= round(1.1 * n_timesteps)


@pytest.mark.parametrize(
    ("n_relevant", "windows"),
    [(2, [(10, 20), (50, 60)]), (3, [(10, 20), (33, 43), (66, 76)])],
    ids=["6a", "6b"],
)
def test_the_numbers_of_temporal_order_are_those_of_the_paper(n_relevant, windows):
    X, y = synthetic.temporal_order(2000, n_relevant)
    where = np.array([np.flatnonzero(x[:, 6:].any(axis=1)) for x in X])
    assert [*zip(where.min(axis=0), where.max(axis=0), strict=True)] == windows
    assert {len(x) for x in X} == set(range(100, 111))
    classes, counts = np.unique(y, return_counts=True)
    assert len(classes) == 2**n_relevant
    assert all(near(count / len(y), 0.5**n_relevant, 0.5, len(y)) for count in counts)


@settings(deadline=None)
@given(st.sampled_from(["ab", "abc", "xyzw"]), st.integers(1, 6), st.integers(0, 6), SEEDS)
def test_successors_of_the_counting_languages(letters, low, more, seed):
    """What may follow a beginning is what follows it in some string of the language."""
    X, y = synthetic.counting_language(3, letters, low, low + more, seed)
    language = ["S" + "".join(s * n for s in letters) + "T" for n in range(1, 20)]
    for x, legal in zip(X, y, strict=True):
        beginning = spelled(x, "S" + letters)
        assert beginning + "T" in language[low - 1 : low + more]
        for step in range(len(x)):
            read = beginning[: step + 1]
            following = {s[step + 1] for s in language if s.startswith(read)}
            assert named(legal[step], letters + "T") == following


def from_the_last_symbol(X, y):
    """Return the shares of steps and of series that the best answer by one symbol has right."""
    table = defaultdict(Counter)
    for x, legal in zip(X, y, strict=True):
        for symbol, step in zip(x.argmax(axis=1), legal, strict=True):
            table[symbol][step.tobytes()] += 1
    best = {symbol: counts.most_common(1)[0][0] for symbol, counts in table.items()}
    right = [
        [best[s] == step.tobytes() for s, step in zip(x.argmax(axis=1), legal, strict=True)]
        for x, legal in zip(X, y, strict=True)
    ]
    return np.mean(np.concatenate(right)), np.mean([all(steps) for steps in right])


@pytest.mark.parametrize("letters", ["ab", "abc"])
@pytest.mark.parametrize("high", [4, 10])
def test_the_baseline_of_the_counting_languages(letters, high):
    steps, strings = from_the_last_symbol(*synthetic.counting_language(4000, letters, high=high))
    expected = {"ab": 1 - 1 / (high + 2), "abc": 1 - 4 / (3 * high + 5)}[letters]
    assert near(steps, expected, 0.5, 4000)
    assert strings == 0


@pytest.mark.parametrize(
    ("string", "legal"),
    [
        ("BTSSXXTVVE", True),
        ("BPVVE", True),
        ("BTXXVPSE", True),
        ("BTSSPXSE", False),
        ("BPTVVB", False),
        ("BTXXVVSE", False),
    ],
)
def test_known_strings_of_the_reber_grammar(string, legal):
    """Of the examples that are handed down with the grammar."""
    assert synthetic.in_grammar(string, synthetic.REBER) == legal
    assert bool(re.fullmatch(REBER, string)) == legal
    for way in "TP":
        assert synthetic.in_grammar(f"B{way}{string}{way}E") == legal
        assert not synthetic.in_grammar(f"B{way}{string}{'PT'['TP'.index(way)]}E")


def strings_of(X):
    return [spelled(x, synthetic.REBER_SYMBOLS) + "E" for x in X]


@settings(deadline=None)
@given(SEEDS)
def test_every_string_is_in_the_grammar(seed):
    for string in strings_of(synthetic.embedded_reber(5, seed)[0]):
        assert EMBEDDED.fullmatch(string)
        assert synthetic.in_grammar(string)


@settings(deadline=None)
@given(SEEDS, st.data())
def test_a_string_with_a_symbol_that_is_illegal_there_is_not(seed, data):
    X, y = synthetic.embedded_reber(1, seed)
    [string] = strings_of(X)
    where = data.draw(st.integers(0, len(string) - 1))
    legal = named(y[0][where - 1], synthetic.REBER_SYMBOLS) if where else {"B"}
    wrong = data.draw(st.sampled_from(sorted({*synthetic.REBER_SYMBOLS, "Q"} - legal)))
    assert not synthetic.in_grammar(string[:where] + wrong + string[where + 1 :])
    assert not synthetic.in_grammar(string[:where])  # nor is a beginning, nor what goes on
    assert not synthetic.in_grammar(string + wrong)


@settings(deadline=None)
@given(SEEDS, st.integers(0, 40), st.sampled_from(synthetic.REBER_SYMBOLS))
def test_any_other_symbol_is_judged_as_by_the_expression(seed, where, symbol):
    [string] = strings_of(synthetic.embedded_reber(1, seed)[0])
    changed = string[:where] + symbol + string[where + 1 :]
    assert synthetic.in_grammar(changed) == bool(EMBEDDED.fullmatch(changed))


@cache
def endings():
    """Ends of strings, the shortest of any state among them: none needs more than 8 symbols."""
    strings = strings_of(synthetic.embedded_reber(300)[0])
    return sorted({string[-n:] for string in strings for n in range(1, 9)} | {""}, key=len)


@cache
def may_follow(beginning):
    """Return the symbols after which a string of the expression can still be reached."""
    return {
        symbol
        for symbol in synthetic.REBER_SYMBOLS
        if any(EMBEDDED.fullmatch(beginning + symbol + ending) for ending in endings())
    }


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_targets_of_strings_are_what_the_grammar_lets_follow(seed):
    X, y = synthetic.embedded_reber(3, seed)
    for string, legal in zip(strings_of(X), y, strict=True):
        for step, row in enumerate(legal, 1):
            assert named(row, synthetic.REBER_SYMBOLS) == may_follow(string[:step])


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(1, 60))
def test_a_stream_is_strings_one_after_the_other(seed, n_timesteps):
    X, y = synthetic.continual_reber(2, n_timesteps, seed)
    assert X.shape == y.shape == (2, n_timesteps, 7)
    for x, legal in zip(X, y, strict=True):
        begun = ""
        for symbol, row in zip(spelled(x, synthetic.REBER_SYMBOLS), legal, strict=True):
            assert symbol in may_follow(begun)
            begun += symbol
            if EMBEDDED.fullmatch(begun):
                begun = ""
            assert named(row, synthetic.REBER_SYMBOLS) == may_follow(begun)


def test_the_baselines_of_the_reber_grammars():
    n = 3000
    X, y = synthetic.embedded_reber(n)
    lengths = np.array([len(x) + 1 for x in X])
    assert lengths.min() == 9
    assert near(lengths.mean(), 12, lengths.std(), n)
    steps, strings = from_the_last_symbol(X, y)
    assert round(steps, 2) == 0.55
    assert strings == 0
    assert near(np.mean([x[1, 1] for x in X]), 1 / 2, 0.5, n)  # T: the guess that is left
    # both named at the one step before the last: all else is right
    assert near(1 - n / (lengths - 1).sum(), 10 / 11, 0.3, n)
    X, y = synthetic.continual_reber(40, 1000)
    assert round(from_the_last_symbol(X, y)[0], 2) == 0.54
    ends = ((X[:, :, 6] == 1) & (y[:, :, 0] == 1)).sum()  # an E before a B
    assert near(1 - ends / X[..., 0].size, 11 / 12, 0.3, ends)


@settings(deadline=None)
@given(st.integers(1, 9), st.integers(2, 6), st.integers(1, 4), SEEDS)
def test_the_answer_to_spikes_is_the_last_interval(delay, n_delays, n_intervals, seed):
    X, y = synthetic.spike_delays(4, delay, n_delays, n_intervals, seed)
    for x, more in zip(X, y, strict=True):
        spikes = np.flatnonzero(x[:, 0])
        assert (spikes[0], spikes[-1]) == (0, len(x) - 1)
        intervals = [later - earlier for earlier, later in pairwise(spikes)]
        assert len(intervals) == n_intervals
        assert set(intervals) <= set(range(delay, delay + n_delays))
        assert intervals[-1] == delay + more


@pytest.mark.parametrize("n_delays", [2, 5])
def test_the_baselines_of_spikes(n_delays):
    _, y = synthetic.spike_delays(4000, 3, n_delays)
    assert all(near(share, 1 / n_delays, 0.5, 4000) for share in np.bincount(y) / 4000)
    errors = (y - (n_delays - 1) / 2) ** 2
    assert near(errors.mean(), (n_delays**2 - 1) / 12, errors.std() + 1e-9, 4000)


@settings(deadline=None)
@given(SEEDS, st.integers(1, 3), st.integers(0, 3), st.integers(1, 2), st.integers(0, 2))
def test_joined_series_are_whole_and_labelled(seed, low, more, least, longer):
    X, y = joined(3, seed, (low, low + more), (least, least + longer))
    for x, labels in zip(X, y, strict=True):
        assert len(x) == len(labels)
        spoken = "".join(labels)
        assert spoken == "".join("-abcde"[int(value)] for value in x[:, 0])
        words = re.findall("[a-e]+", spoken)
        assert low <= len(words) <= low + more
        assert all(word == word[0] * (1 + "abcde".index(word[0])) for word in words)
        pauses = re.findall("-+", spoken)
        assert (spoken[0], spoken[-1], len(pauses)) == ("-", "-", len(words) + 1)
        assert all(least <= len(pause) <= least + longer for pause in pauses)


def test_joined_without_silence_and_the_baseline():
    given = np.arange(4.0)[:, None, None] * np.ones((4, 6, 1))  # four classes of six steps
    X, y = synthetic.join_series(given, [0, 1, 2, 3], 2000)
    assert {len(x) for x in X} == {12, 18, 24, 30}
    steps = np.concatenate(y)
    np.testing.assert_array_equal(np.concatenate(X)[:, 0], steps)
    shares = np.bincount(steps) / steps.size
    assert all(near(share, 1 / 4, 0.5, steps.size / 6) for share in shares)


def test_an_embedded_set_is_joined_as_it_is():
    train = load("japanese_vowels").train
    X, y = synthetic.join_series(train, train.y, 3)
    rows = {row.tobytes() for row in train.values}
    assert all(row.tobytes() in rows for x in some(X) for row in x)
    assert all(len(x) == len(labels) for x, labels in zip(X, y, strict=True))


@pytest.mark.parametrize(
    ("make", "arguments", "named"),
    [
        ("adding_problem", {"n_series": 0}, "n_series"),
        ("adding_problem", {"n_timesteps": 1}, "n_timesteps"),
        ("copy_memory", {"delay": 0}, "delay"),
        ("copy_memory", {"n_copied": 2.5}, "n_copied"),
        ("copy_memory", {"n_symbols": 1}, "n_symbols"),
        ("temporal_order", {"n_relevant": 4}, "n_relevant"),
        ("temporal_order", {"n_timesteps": 9}, "n_timesteps"),
        ("counting_language", {"letters": "a"}, "letters"),
        ("counting_language", {"letters": "aba"}, "letters"),
        ("counting_language", {"letters": "aS"}, "letters"),
        ("counting_language", {"low": 0}, "low"),
        ("counting_language", {"low": 3, "high": 2}, "high"),
        ("embedded_reber", {"n_series": True}, "n_series"),
        ("continual_reber", {"n_timesteps": 0}, "n_timesteps"),
        ("spike_delays", {"n_delays": 1}, "n_delays"),
        ("join_series", {"n_joined": (0, 2)}, "n_joined"),
        ("join_series", {"silence": (2, 1)}, "silence"),
        ("join_series", {"silence": (0, 1)}, "silence_label"),
        ("join_series", {"silence": (0, 1), "silence_label": "a"}, "silence_label"),
        ("join_series", {"y": ["a"]}, "y"),
    ],
)
def test_what_cannot_be_is_said(make, arguments, named):
    given = {"X": WORDS, "y": list("abcde")} if make == "join_series" else {}
    with pytest.raises(DataError, match=f"^{make}: {named} must be .*; got "):
        getattr(synthetic, make)(**{"n_series": 2, **given, **arguments})


def error(cell, train, test, **more):
    settings = {"units": 32, "epochs": 6, "batch_size": 32, "learning_rate": 0.01}
    model = SequenceRegressor(**PLAIN, **{**settings, **more}, cell=cell, random_state=0)
    return ((model.fit(*train).predict(test[0]).ravel() - test[1]) ** 2).mean()


@pytest.mark.slow
def test_a_gru_adds_over_50_steps_and_a_simple_network_does_not():
    """In as many steps; an LSTM takes some more of them."""
    train, test = synthetic.adding_problem(2000), synthetic.adding_problem(1000, seed=1)
    assert error("gru", train, test) < 0.01 / 6
    assert error("lstm", train, test, epochs=12) < 0.03 / 6
    assert error("simple_rnn", train, test) > 0.5 / 6
    assert ((train[1].mean() - test[1]) ** 2).mean() == pytest.approx(1 / 6, rel=0.1)


def accuracy(cell, train, test, **more):
    settings = {"units": 16, "epochs": 15, "batch_size": 32, "learning_rate": 0.01}
    model = SequenceClassifier(**PLAIN, **{**settings, **more}, cell=cell, random_state=0)
    return model.fit(*train).score(*test)


@pytest.mark.slow
def test_gates_solve_temporal_order():
    train, test = (synthetic.temporal_order(1000, n_timesteps=30, seed=seed) for seed in (0, 1))
    assert accuracy("lstm", train, test) > 0.98
    assert accuracy("gru", train, test) > 0.98
    assert accuracy("simple_rnn", train, test) < 0.7


def by_steps(X, y):
    return [x[: t + 1] for x in X for t in range(len(x))], np.concatenate(y).astype(int)


@pytest.mark.slow
def test_an_lstm_counts_further_than_it_was_shown():
    train = by_steps(*synthetic.counting_language(100))
    test = by_steps(*synthetic.counting_language(50, low=11, high=14, seed=1))
    # who answers by the last symbol errs once a string: 1 - 1 / (2 * 12.5 + 1)
    assert accuracy("lstm", train, test, units=8, learning_rate=0.02) > 0.98


@pytest.mark.slow
def test_an_lstm_keeps_the_second_symbol_of_a_reber_string():
    train, test = (by_steps(*synthetic.embedded_reber(400, seed)) for seed in (0, 1))
    assert accuracy("lstm", train, test, epochs=20, learning_rate=0.02) > 0.98 > 10 / 11
