"""Memory that is used again is nobody's any more; answers do not depend on how many are asked."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqkit.network.architecture import Architecture
from seqkit.network.cpu.memory import ALIGNMENT, buffer
from seqkit.network.native import NativeNetwork

VIEWS = {
    "transposed": lambda a: a.transpose(1, 0, 2),
    "of a view": lambda a: a.transpose(1, 0, 2)[:, ::2][1:],
    "flat": lambda a: a.reshape(-1),
    "last": lambda a: a[-1],
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_a_block_is_lent_again_only_when_no_view_of_it_is_left(view):
    own = buffer(20, 30, 40)
    assert own.ctypes.data % ALIGNMENT == 0
    own[...] = 7
    seen = view(own)
    del own
    gc.collect()
    others = [buffer(20, 30, 40) for _ in range(8)]
    for other in others:
        assert not np.may_share_memory(other, seen)
        other[...] = 0
    assert (seen == 7).all()


def test_a_block_is_lent_again_once_it_is_free():
    own = buffer(20, 30, 41)
    where = own.ctypes.data
    del own
    assert buffer(20, 30, 41).ctypes.data == where


SERIES = {"n_timesteps": None, "n_features": 3, "variable_length": True, "bidirectional": False}
WINDOW = {"context_length": 24, "horizon": 6, "patch": 2, "n_targets": 1}
STACKS = {
    "tagger": ("tagger", {**SERIES, "n_classes": 4, "residual": True}),
    "classifier": ("classifier", {**SERIES, "n_classes": 4, "residual": True, "stem": None}),
    "direct": ("forecaster", {**WINDOW, "decoder": "direct", "residual": True}),
    "recursive": ("forecaster", {**WINDOW, "decoder": "recursive"}),
    "segment": ("forecaster", {**WINDOW, "decoder": "segment"}),
}


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("name", STACKS)
@settings(max_examples=3, deadline=None)
@given(n=st.integers(300, 500), seed=st.integers(0, 9))
def test_what_a_later_layer_reads_again_is_still_there(name, cell, n, seed):
    """Layers of equal width in a stack: many series at once are answered as each by itself.

    Arrays of one series are too small to be lent again; those of many are, between the layer that
    has written them and one that reads them for a second time.
    """
    kind, given_settings = STACKS[name]
    made = Architecture(kind, {**given_settings, "cell": cell, "units": [32, 32, 32]})
    native = NativeNetwork(made.network)
    rng = np.random.default_rng(seed)
    native.weights.load(
        [
            w + rng.normal(0, 0.1, w.shape).astype(np.float32)
            for w in made.network.initial_weights(1)
        ]
    )
    steps = 24 if kind == "forecaster" else 9
    inputs = {"x": rng.normal(size=(n, steps, made.network.inputs[0].shape[-1])).astype(np.float32)}
    if any(i.name == "lengths" for i in made.network.inputs):
        inputs["lengths"] = rng.integers(1, steps + 1, n).astype(np.int32)
    whole = native.predict(inputs)
    for k in (0, n // 2, n - 1):
        alone = native.predict({name: value[k : k + 1] for name, value in inputs.items()})
        np.testing.assert_allclose(whole[k], alone[0], rtol=1e-5, atol=1e-6)
