"""Networks as ONNX graphs, run by ONNX Runtime: equal to the native network of the same weights."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import onnx
import onnxruntime
import pytest
from conftest import some
from hypothesis import given, settings
from hypothesis import strategies as st
from test_native import (
    DECODED_CASES,
    POOLINGS,
    SERIES_CASES,
    WINDOW_CASES,
    classifier,
    examples,
    forecaster,
    name_of,
    regressor,
)

from seqkit import SequenceClassifier, SequenceForecaster
from seqkit.cells import CELLS, Weights
from seqkit.errors import ExportError
from seqkit.exports.onnx_file import build, build_streaming
from seqkit.network.architecture import Architecture
from seqkit.network.layers.heads import Combine
from seqkit.network.layers.theta import ThetaForecast
from seqkit.network.native import NativeNetwork
from seqkit.network.onnx.model import IR_VERSION, OPSET, onnx_model
from seqkit.network.onnx.streaming import streaming_model
from seqkit.network.ops import NUMPY
from seqkit.network.steps import cell_step

STEPS = 11
FRACTION = 1e-6
"""Of the greatest forecast: what a sum in another order may change where large terms nearly cancel,
as center and departure do."""


def tagger(**changed):
    sizes = {"n_timesteps": None, "n_features": 2, "n_classes": 3, "units": 4}
    return Architecture("tagger", {**sizes, "variable_length": False, **changed})


def drawn(network, seed=0):
    """Weights as a fit might leave them: none is 0, spreads are above it."""
    rng, weights = np.random.default_rng(seed), []
    for w in network.weights:
        value = rng.normal(size=w.shape).astype("float32") * 0.5
        spread = w.path.endswith(("scale", "variance"))
        weights.append(np.abs(value) + 0.5 if spread else value)
    return weights


class Pair:
    """A network run natively, and its ONNX model run by ONNX Runtime."""

    def __init__(self, architecture, seed=0):
        network = architecture.network
        self.names = [i.name for i in network.inputs]
        self.weights = drawn(network, seed)
        self.native = NativeNetwork(network)
        self.native.weights.load(self.weights)
        self.model = onnx_model(network, self.weights)
        self.session = session(self.model)
        self.numbers = architecture.kind in ("regressor", "forecaster") or (
            architecture.members[0].kind == "forecaster" or "mixture" in architecture.settings
        )

    def run(self, inputs):
        return self.session.run(None, {name: inputs[name] for name in self.names})[0]

    def agree(self, inputs):
        inputs = inputs if isinstance(inputs, dict) else {"x": inputs}
        found = self.run(inputs)
        single = len(self.names) == 1 and not self.native.network.named_inputs
        expected = self.native.predict(inputs["x"] if single else inputs)
        assert found.dtype == np.float32
        atol = FRACTION * np.abs(expected).max() if self.numbers else 0
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=atol)
        return found


def session(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


def agrees(architecture, sizes=((7, STEPS), (1, STEPS), (3, 5))):
    """For batches of one and of many, and series of several lengths where time is open."""
    pair = Pair(architecture)
    is_open = None in architecture.network.shapes["x"]
    for n, n_steps in some(sizes):
        if not is_open and n_steps != STEPS:
            continue
        inputs = examples(architecture, n, n_steps)
        pair.agree(inputs)
        if isinstance(inputs, dict) and "lengths" in inputs:
            hidden = {**inputs, "x": padded_with_nan(architecture, inputs)}
            np.testing.assert_array_equal(pair.run(hidden), pair.run(inputs))
    return pair


def padded_with_nan(architecture, inputs):
    """Return series that are NaN where they pad: windows at their front, others at their end."""
    x, lengths = inputs["x"].copy(), inputs["lengths"][:, None]
    step = np.arange(x.shape[1])[None]
    windows = architecture.members[0].kind == "forecaster"
    if x.dtype == np.float32:
        x[step < x.shape[1] - lengths if windows else step >= lengths] = np.nan
    return x


@pytest.mark.parametrize("case", SERIES_CASES, ids=name_of)
def test_a_network_of_series(case):
    agrees(classifier(**case))


@pytest.mark.parametrize("quantiles", [None, (0.1, 0.5, 0.9)])
@pytest.mark.parametrize("case", SERIES_CASES[-7:], ids=name_of)
def test_a_network_of_numbers(case, quantiles):
    agrees(regressor(**case, quantiles=quantiles))


@pytest.mark.parametrize(
    "case", [*WINDOW_CASES, *({"variable_length": True, **c} for c in WINDOW_CASES)], ids=name_of
)
def test_a_network_of_windows(case):
    agrees(forecaster(**case))


@pytest.mark.parametrize("case", DECODED_CASES, ids=name_of)
def test_a_decoder(case):
    agrees(forecaster(**case))


@pytest.mark.parametrize("variable_length", [False, True])
@pytest.mark.parametrize("departure", ["theta", "learned_theta"])
@pytest.mark.parametrize("season", [1, 4])
def test_a_departure_from_the_theta_forecast(departure, season, variable_length):
    agrees(
        forecaster(
            departure_from=departure, season=season, n_targets=2, variable_length=variable_length
        )
    )


EXTRA = [
    {"moves": (-1, 0, 2), "patch": 3},
    {"deviations": True, "max_timesteps": STEPS + 2},
    {"differences": True, "moves": (-1, 0, 1)},
    {"averages": (2, 9), "differences": True},
    {"averages": (3,), "stem": {"filters": 3}, "moves": (-1, 0, 1)},
    {"moves": (0, 1), "deviations": True, "max_timesteps": STEPS, "branch": {"filters": 3}},
    {"multilabel": True, "pooling": "mean_max"},
    {"stem": {"filters": 3, "stride": 2, "pooling": "mean_max"}, "moves": (-2, 0)},
]


@pytest.mark.parametrize("variable_length", [False, True])
@pytest.mark.parametrize("case", EXTRA, ids=name_of)
def test_what_stands_around_a_network(case, variable_length):
    agrees(classifier(**case, variable_length=variable_length))


def test_what_is_frozen_changes_nothing():
    settings = classifier(stem={"filters": 3}, variable_length=True).settings
    frozen = ("stem_1", "stem_normalized_1", "recurrent_1")
    agrees(Architecture("classifier", settings, frozen))


def test_a_network_of_fixed_length():
    """The time axis is then fixed in the graph, too."""
    pair = agrees(classifier(n_timesteps=STEPS, moves=(0, 3), patch=4, overlap=2))
    assert pair.session.get_inputs()[0].shape == ["batch", STEPS, 2]


@pytest.mark.parametrize(
    "case",
    [
        {"bidirectional": False},
        {"variable_length": True, "units": [4, 4], "residual": True},
        {"multilabel": True, "n_classes": 5, "dense": (3,), "cell": "gru"},
        {"multilabel": True, "n_classes": 1, "variable_length": True, "cell": "fgr"},
        {"scale": "none", "cell": "cifg", "variable_length": True},
        {"n_classes": None, "mixture": 3, "bidirectional": False, "variable_length": True},
        {"n_classes": None, "mixture": 1, "bidirectional": False, "dense": (3,)},
    ],
    ids=name_of,
)
def test_a_network_of_steps(case):
    architecture = tagger(**case)
    pair, rng = Pair(architecture), np.random.default_rng(1)
    for n, n_steps in ((5, STEPS), (1, 4), (1, 1)):
        x = rng.normal(size=(n, n_steps, 2)).astype("float32")
        lengths = rng.integers(1, n_steps + 1, n).astype("int32")
        inputs = {"x": x, "lengths": lengths} if case.get("variable_length") else {"x": x}
        found = pair.agree(inputs)
        n_classes = architecture.settings["n_classes"]
        answer = (n_classes,) if n_classes else (case["mixture"], 5)
        assert found.shape == (n, n_steps, *answer)


@pytest.mark.parametrize("variable_length", [False, True])
def test_a_network_of_tokens(variable_length):
    more = {"variable_length": variable_length, "n_features": None, "n_tokens": 6, "embedding": 3}
    pair, rng = Pair(tagger(**more)), np.random.default_rng(1)
    lengths = np.array([STEPS, 3, 1], np.int32)
    pair.agree({"x": rng.integers(0, 6, (3, STEPS)).astype("int32"), "lengths": lengths})


@settings(max_examples=15, deadline=None)
@given(
    cell=st.sampled_from(sorted(CELLS)),
    units=st.lists(st.integers(1, 6), min_size=1, max_size=3),
    bidirectional=st.booleans(),
    pooling=st.sampled_from(POOLINGS),
    patch=st.integers(1, 4),
    overlap=st.integers(0, 3),
    dense=st.lists(st.integers(1, 5), max_size=2),
    normalize=st.sampled_from(["none", "series"]),
    variable_length=st.booleans(),
)
def test_any_network_of_series(**case):
    agrees(classifier(**case))


@settings(max_examples=10, deadline=None)
@given(
    cell=st.sampled_from(sorted(CELLS)),
    decoder=st.sampled_from(["direct", "recursive", "segment"]),
    quantiles=st.sampled_from([None, (0.5,), (0.1, 0.6), (0.1, 0.5, 0.9)]),
    normalize=st.sampled_from(["none", "last", "standard"]),
    channels=st.sampled_from(["joint", "independent"]),
    departure_from=st.sampled_from(["none", "last", "seasonal_naive", "learned_theta"]),
    n_targets=st.integers(1, 3),
    n_future=st.integers(0, 2),
    n_static=st.integers(0, 2),
    patch=st.integers(1, 5),
    horizon=st.integers(1, 7),
    variable_length=st.booleans(),
)
def test_any_network_of_windows(**case):
    agrees(forecaster(**case, season=4, units=[3, 4]))


# --- several networks ----------------------------------------------------------------------------


@pytest.mark.parametrize("variable_length", [False, True])
def test_an_ensemble_is_the_mean_of_its_members(variable_length):
    members = [
        classifier(units=3, patch=2, variable_length=variable_length),
        classifier(cell="gru", stem={"filters": 3}, variable_length=variable_length),
        classifier(cell="fgr", bidirectional=True, variable_length=variable_length),
    ]
    whole = Architecture("ensemble", {"members": members})
    pair, inputs = Pair(whole), examples(members[0])
    own, weights = [], iter(pair.weights)
    for member in members:
        alone = NativeNetwork(member.network)
        alone.weights.load([next(weights) for _ in member.network.weights])
        own.append(alone.predict(inputs))
    np.testing.assert_allclose(pair.agree(inputs), np.mean(own, axis=0), rtol=1e-6)
    assert [o.name for o in pair.session.get_outputs()] == ["probabilities"]


@pytest.mark.parametrize("variable_length", [False, True])
@pytest.mark.parametrize("case", [{}, {"quantiles": (0.1, 0.5, 0.9)}, {"decoder": "recursive"}],
                         ids=name_of)  # fmt: skip
@pytest.mark.parametrize("theta", [False, True])
def test_an_ensemble_of_forecasters(case, theta, variable_length):
    """The median of forecasts undone of their powers, and a theta forecast of more steps."""
    more = {"n_targets": 2, "season": 4, "variable_length": variable_length, **case}
    members = [forecaster(context_length=c, **more) for c in (8, 13, 8, 10)]
    named = {"members": members, "context_lengths": (8, 13, 8, 10), "powers": (0.5, 0.0)}
    if theta:
        of_head = ((0.0, 1.0, 0.0), 3) if "quantiles" in case else ()
        named |= {
            "theta": ThetaForecast(4, 4),
            "theta_window": 40,
            "combine": Combine(0.3, *of_head),
        }
    n_steps, rng = 40 if theta else 13, np.random.default_rng(0)
    x = rng.uniform(1, 50, (5, n_steps, 2)).astype("float32")
    lengths = np.array([n_steps, 13, 8, 2, 11], np.int32)
    Pair(Architecture("ensemble", named)).agree({"x": x, "lengths": lengths})


# --- the graph -----------------------------------------------------------------------------------


RECURRENT = ("LSTM", "GRU", "RNN", "Scan", "Loop")


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", sorted(CELLS))
def test_a_recurrent_layer_is_one_node(cell, bidirectional):
    """Of ONNX's own kind, for both directions; of a cell that it has not, a loop for each."""
    case = {"cell": cell, "units": [3, 2], "bidirectional": bidirectional}
    graph = Pair(classifier(**case, variable_length=True)).model.graph
    found = Counter(node.op_type for node in graph.node if node.op_type in RECURRENT)
    if cell == "fgr":
        assert found == {"Scan": 4 if bidirectional else 2}
    else:
        kind = {"simple": "RNN", "gru": "GRU", "lstm": "LSTM"}[CELLS[cell].family]
        assert found == {kind: 2}


def test_the_versions_are_those_that_are_stated():
    model = Pair(classifier(stem={"filters": 3}, variable_length=True)).model
    assert model.ir_version == IR_VERSION
    assert [(o.domain, o.version) for o in model.opset_import] == [("", OPSET)]
    assert {node.domain for node in model.graph.node} == {""}
    onnx.checker.check_model(model, full_check=True)
    onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    names = [o for node in model.graph.node for o in node.output]
    assert len(names) == len(set(names))


def test_equal_weights_give_equal_bytes():
    first, second = (Pair(classifier(cell="fgr", patch=2)).model for _ in range(2))
    assert first.SerializeToString() == second.SerializeToString()


def test_every_node_and_constant_is_needed():
    graph = Pair(forecaster(n_targets=2, quantiles=(0.1, 0.5), n_past=1)).model.graph
    read = {name for node in graph.node for name in node.input} | {o.name for o in graph.output}
    assert {c.name for c in graph.initializer} <= read
    assert all(read & set(node.output) for node in graph.node)


@pytest.mark.parametrize(
    "changed",
    [
        {"gates": ("f", "c")},
        {"gates": ("c", "o"), "output_activation": "linear", "input_activation": "linear"},
        {"gate_activation": "tanh"},
        {"gate_activation": "linear", "peepholes": ("f", "o")},
    ],
    ids=name_of,
)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_row_of_the_table_needs_nothing_else(changed, bidirectional):
    """Cells that nobody has thought of, held to their step in NumPy."""
    row = replace(CELLS["lstm"], name="another", **changed)
    lengths, x = np.array([6, 2], np.int32), np.random.default_rng(0).normal(size=(2, 6, 3))
    x = x.astype("float32")
    more = {"n_features": 3, "units": 4, "variable_length": True, "scale": "none"}
    with patch.dict(CELLS, another=row):
        network = tagger(**more, cell="another", bidirectional=bidirectional).network
        weights = [0.4 * w for w in drawn(network)]  # what is linear does not run away
        model = onnx_model(network, weights)
    (found,) = session(model).run(None, {"x": x, "lengths": lengths})
    by_path = {w.path: value for w, value in zip(network.weights, weights, strict=True)}
    states = []
    for start in ("forward/", "backward/") if bidirectional else ("",):
        prefix = f"recurrent_1/{start}"
        own = Weights(*(by_path.get(f"{prefix}{name}") for name in Weights._fields))
        out = np.zeros((2, 6, 4), np.float32)
        for k, n in enumerate(lengths):
            state = tuple(np.zeros((1, 4), np.float32) for _ in row.states)
            for t in reversed(range(n)) if start == "backward/" else range(n):
                state, _ = cell_step(NUMPY, row, own, x[k : k + 1, t], state)
                out[k, t] = state[0]
        states.append(out)
    logits = np.concatenate(states, -1) @ by_path["logits/kernel"] + by_path["logits/bias"]
    np.testing.assert_allclose(found, NUMPY.softmax(logits), rtol=1e-5)


def test_small_probabilities_keep_their_digits():
    """Of labels too, where ONNX Runtime's own Sigmoid is off by more than they are."""
    architecture = classifier(multilabel=True, units=2)
    pair = Pair(architecture)
    bias = next(k for k, w in enumerate(architecture.network.weights) if w.path == "logits/bias")
    pair.weights[bias][:] = [-30, -12, 15]
    pair.native.weights.load(pair.weights)
    pair.session = session(onnx_model(architecture.network, pair.weights))
    found = pair.agree(examples(architecture))
    assert 0 < found[:, 0].max() < 1e-12


def test_forecasts_of_large_values_keep_their_digits():
    """Those of the native network: a window is normalised about its last value."""
    pair = Pair(forecaster(n_targets=1, departure_from="last"))
    x = 1e5 + np.random.default_rng(0).normal(size=(4, 13, 1))
    pair.agree({"x": x.astype("float32")})


# --- estimators ----------------------------------------------------------------------------------


def test_tensorflow_is_not_needed():
    code = """
import sys
import numpy as np
from seqkit.estimators.classifier import SequenceClassifier
from seqkit.exports.onnx_file import build, build_streaming
X = np.random.default_rng(0).normal(size=(20, 12, 2))
model = SequenceClassifier(units=3, epochs=1, ensemble=2, random_state=0).fit(X, np.arange(20) % 2)
import onnxruntime
session = onnxruntime.InferenceSession(build(model).SerializeToString())
(found,) = session.run(["probabilities"], {"x": X.astype(np.float32)})
np.testing.assert_allclose(found, model.predict_proba(X), rtol=1e-5)
print([name for name in ("tensorflow", "keras") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_the_package_one_sentence_says_what_to_do():
    with (
        patch.dict(sys.modules, onnx=None),
        pytest.raises(ExportError, match=r'pip install "seqkit\[onnx\]"'),
    ):
        build(None)


# --- one observation after the other -------------------------------------------------------------


class Streams:
    """Streams through the model of one observation; those in `which` begin anew."""

    def __init__(self, network, weights, n):
        self.session = session(streaming_model(network, weights, "export"))
        types = {"tensor(int64)": np.int64, "tensor(float)": np.float32}
        self.state = {
            i.name: np.zeros([n, *i.shape[1:]], types[i.type])
            for i in self.session.get_inputs()
            if i.name != "x"
        }
        self.names = [o.name for o in self.session.get_outputs()]

    def push(self, x):
        answer, *states = self.session.run(None, {"x": x, **self.state})
        assert self.names[1:] == [f"{name}/next" for name in self.state]
        self.state = dict(zip(self.state, states, strict=True))
        return answer

    def reset(self, which):
        for state in self.state.values():
            state[which] = 0


def streams(architecture, n_tokens=None):
    """Answers are those to the series so far, though a stream began later than another."""
    network, rng = architecture.network, np.random.default_rng(3)
    weights, native = drawn(network), NativeNetwork(network)
    native.weights.load(weights)
    x = rng.normal(size=(3, STEPS, 2)).astype("float32")
    if n_tokens:
        x = rng.integers(0, n_tokens, (3, STEPS)).astype("int32")
    pushed, begin = Streams(network, weights, 3), np.array([0, 0, 4])
    for t in range(STEPS):
        pushed.reset(begin == t)
        found = pushed.push(x[:, t])
        for row, answer in enumerate(found):
            since = begin[row] if t >= begin[row] else 0
            so_far = x[row : row + 1, since : t + 1]
            expected = native.predict({"x": so_far} if network.named_inputs else so_far)[0]
            expected = expected[-1] if architecture.kind == "tagger" else expected
            np.testing.assert_allclose(answer, expected, rtol=1e-5, atol=1e-6)
    return pushed


@pytest.mark.parametrize("cell", sorted(CELLS))
def test_a_stream_of_any_cell(cell):
    pushed = streams(classifier(cell=cell, units=[3, 4]))
    states = [f"recurrent_{k}/{name}" for k in (1, 2) for name in CELLS[cell].states]
    assert list(pushed.state) == ["n_seen", *states]


STREAMED = [
    *({"pooling": p, "patch": n} for p in POOLINGS for n in (1, 3)),
    *({"pooling": p, "patch": 2, "pyramid": 2, "units": [3, 4]} for p in POOLINGS),
    {"units": [4, 4, 4], "residual": True, "layer_norm": True, "dense": (5,), "cell": "gru"},
    {"deviations": True, "max_timesteps": STEPS, "multilabel": True},
    *({"pooling": p, "moves": (-3, -1, 0, 2)} for p in POOLINGS),
    *({"pooling": p, "patch": 3, "overlap": 2} for p in POOLINGS),
    {"patch": 2, "overlap": 5},
    *({"pooling": p, "stem": {"filters": [3, 2], "kernel_size": [5, 2], "stride": [2, 3]}}
      for p in POOLINGS),
    # strides over what is not read: an observation may add no item
    *({"pooling": p, "stem": {"filters": 3, "kernel_size": 1, "stride": 3}} for p in POOLINGS),
    {"branch": {"filters": [3, 4], "kernel_size": [4, 3]}, "deviations": True,
     "max_timesteps": STEPS},
    {"stem": {"filters": 3, "kernel_size": 3, "layers": 2}, "patch": 2, "pyramid": 2,
     "units": [3, 4], "moves": (-1, 0, 2), "deviations": True, "max_timesteps": STEPS},
]  # fmt: skip


@settings(max_examples=8, deadline=None)
@given(
    cell=st.sampled_from(sorted(CELLS)),
    pooling=st.sampled_from(POOLINGS),
    patch=st.integers(1, 4),
    overlap=st.integers(0, 5),
    kernel_size=st.integers(1, 6),
    stride=st.integers(1, 4),
    moves=st.lists(st.integers(-3, 3), max_size=2),
)
def test_a_stream_of_any_network_of_series(kernel_size, stride, **case):
    stem = {"filters": 2, "layers": 1, "kernel_size": kernel_size, "stride": stride}
    streams(classifier(**case, stem=stem))


@pytest.mark.parametrize("case", STREAMED, ids=name_of)
def test_a_stream_of_a_network_of_series(case):
    streams(classifier(**case))


@pytest.mark.parametrize("quantiles", [None, (0.1, 0.5, 0.9)])
def test_a_stream_of_numbers(quantiles):
    streams(regressor(pooling="mean", quantiles=quantiles))


def test_a_stream_of_steps_and_of_tokens():
    more = {"bidirectional": False, "cell": "gru", "units": [4, 4], "residual": True}
    streams(tagger(**more))
    streams(tagger(**more, multilabel=True, dense=(3,)))
    streams(tagger(**more, n_features=None, n_tokens=5), 5)
    streams(tagger(**more, n_classes=None, mixture=2))


def test_a_stream_of_an_ensemble():
    members = [classifier(pooling="attention"), classifier(cell="gru", patch=2, pooling="max")]
    streams(Architecture("ensemble", {"members": members}))


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ({"bidirectional": True}, "bidirectional must be False, of one direction"),
        ({"normalize": "series"}, "normalize must be 'none'"),
    ],
    ids=str,
)
def test_what_a_stream_cannot_know_is_refused_by_name(case, words):
    network = classifier(**case).network
    with pytest.raises(ValueError, match=words):
        streaming_model(network, drawn(network), "export")


def test_a_stream_of_an_estimator():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 30, 2)), np.arange(20) % 2
    quick = {"units": 3, "epochs": 1, "ensemble": 2, "random_state": 0}
    model = SequenceClassifier(**quick, bidirectional=False).fit(X, y)
    own, graph = model.stream(2), session(build_streaming(model))
    state = {i.name: np.zeros([2, *i.shape[1:]], np.float32) for i in graph.get_inputs()[2:]}
    state["n_seen"] = np.zeros(2, np.int64)
    for t in range(30):
        found, *after = graph.run(None, {"x": X[:2, t].astype(np.float32), **state})
        names = [o.name.removesuffix("/next") for o in graph.get_outputs()[1:]]
        state = dict(zip(names, after, strict=True))
        expected = own.push(X[:2, t])
        if expected is not None:  # a patch is not full yet
            np.testing.assert_allclose(found, expected, rtol=1e-5)
    windows = SequenceForecaster(context_length=4, horizon=2, epochs=1, units=3, patch=1)
    with pytest.raises(ValueError, match="must be of a classifier, a regressor or a tagger"):
        build_streaming(windows.fit(np.sin(np.arange(40.0))))
