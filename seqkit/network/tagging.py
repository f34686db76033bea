"""Networks that answer every time step of a series: a class, several binary labels, or numbers.

``x -> standardize (or embedding) -> recurrent stack -> dense -> head``, all of it a step. The
numbers are those of the next step, as a mixture of normal distributions.
"""

from __future__ import annotations

from seqkit.errors import explain
from seqkit.network.graph import Graph, Network
from seqkit.network.layers.combining import Sigmoid, Softmax
from seqkit.network.layers.dense import Dense
from seqkit.network.layers.embedding import TokenEmbedding
from seqkit.network.layers.mixture import MixtureHead
from seqkit.network.layers.scaling import Standardize
from seqkit.network.series import (
    SCALES,
    check_choice,
    dense_stack,
    initializers_of,
    recurrent_stack,
)
from seqkit.network.settings import TaggerNetwork, takes

__all__ = ["EMBEDDING", "tagger"]

EMBEDDING = 64
"""Units of the vector of a token where nothing is said of them."""


@takes(TaggerNetwork)
def tagger(s: TaggerNetwork) -> Network:
    """Describe what :func:`seqkit.build_tagger` builds."""
    owner = "build_tagger"
    _check_answer(owner, s)
    if not 0 <= s.dropout < 1:
        raise ValueError(explain(owner, "dropout", "in [0, 1)", s.dropout))
    if s.max_timesteps is not None and (
        s.n_timesteps is not None or s.bias_initializer != "chrono"
    ):
        expected = "left out unless n_timesteps is open and bias_initializer is chrono"
        raise ValueError(explain(owner, "max_timesteps", expected, s.max_timesteps))
    graph = Graph("tagger", named_inputs=s.variable_length)
    x = _steps(graph, owner, s)
    lengths = graph.input("lengths", (), "int32") if s.variable_length else None
    longest = s.max_timesteps if s.n_timesteps is None else s.n_timesteps
    both = s.mixture is None if isinstance(s.bidirectional, str) else s.bidirectional
    x = recurrent_stack(
        graph, owner, x, lengths, cell=s.cell, units=s.units, bidirectional=both,
        dropout=s.dropout, recurrent_dropout=s.recurrent_dropout, residual=s.residual,
        pooling=None, initializers=initializers_of(owner, s, longest or 0),
    )  # fmt: skip
    x = dense_stack(graph, x, s.dense, s.dropout)
    if s.n_classes is None:
        assert s.n_features is not None
        assert s.mixture is not None
        free = graph.add("mixture", Dense(s.mixture * (1 + 2 * s.n_features)), x)
        return graph.network(graph.add("output", MixtureHead(s.mixture), free), free)
    logits = graph.add("logits", Dense(s.n_classes), x)
    head = Sigmoid() if s.multilabel else Softmax()
    return graph.network(graph.add("probabilities", head, logits), logits)


def _check_answer(owner: str, s: TaggerNetwork) -> None:
    """Raise unless a step is answered with classes, or labels, or with a mixture of numbers."""
    if s.mixture is None:
        least = 1 if s.multilabel else 2
        if s.n_classes is None or s.n_classes < least:
            hint = "Where a step is answered with numbers, give mixture." if not s.n_classes else ""
            raise ValueError(explain(owner, "n_classes", f"at least {least}", s.n_classes, hint))
        return
    if s.mixture < 1:
        raise ValueError(explain(owner, "mixture", "at least 1", s.mixture))
    if s.n_classes is not None:
        expected = "None where n_classes is given: a step is answered with classes or with numbers"
        raise ValueError(explain(owner, "mixture", expected, s.mixture))
    if s.n_features is None:
        expected = "None where series are of tokens, whose next is a class"
        raise ValueError(explain(owner, "mixture", expected, s.mixture))
    for name in ("multilabel", "bidirectional"):
        if getattr(s, name) is True:
            expected = "False with a mixture, of the numbers of the next step"
            raise ValueError(explain(owner, name, expected, getattr(s, name)))


def _steps(graph: Graph, owner: str, s: TaggerNetwork) -> str:
    """Write the input, and what makes numbers of it that a recurrence takes."""
    if (s.n_features is None) == (s.n_tokens is None):
        expected = "given, or n_tokens: series are of numbers or of tokens"
        raise ValueError(explain(owner, "n_features", expected, s.n_features))
    check_choice(owner, "scale", s.scale, SCALES)
    if s.n_tokens is None:
        if s.embedding is not None:
            expected = "left out where series are of numbers"
            raise ValueError(explain(owner, "embedding", expected, s.embedding))
        x = graph.input("x", (s.n_timesteps, s.n_features))
        return x if s.scale == "none" else graph.add("standardize", Standardize(), x)
    if s.scale not in ("standard", "none"):
        raise ValueError(explain(owner, "scale", "left out where series are of tokens", s.scale))
    if s.n_tokens < 1:
        raise ValueError(explain(owner, "n_tokens", "at least 1", s.n_tokens))
    width = EMBEDDING if s.embedding is None else s.embedding
    if width < 1:
        raise ValueError(explain(owner, "embedding", "at least 1", s.embedding))
    x = graph.input("x", (s.n_timesteps,), "int32")
    return graph.add("embedding", TokenEmbedding(s.n_tokens, width), x)
