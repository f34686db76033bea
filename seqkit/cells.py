r"""What each recurrent cell computes: one row a cell, pure data.

Every cell is a setting of one of three schemes, written here with W for `kernel`, R for
`recurrent_kernel`, p for a row of `peephole_kernel`, b for `bias`, * for the product by element:

- simple:  h_t = tanh(W x_t + R h_{t-1} + b)
- LSTM:    c_t = f_t * c_{t-1} + i_t * g(W_c x_t + R_c h_{t-1} + b_c),  h_t = o_t * a(c_t),
  each gate i, f, o being sigmoid(W x_t + R h_{t-1} + p * c + b), one, or (cifg) f_t = 1 - i_t
- GRU:     h_t = z_t * h_{t-1} + (1 - z_t) * tanh(...), with a reset gate before or after R

Packed weights follow Keras: blocks i, f, c, o and z, r, h side by side, an absent gate has no
block. So the weights of `simple_rnn`, `lstm`, `gru` and `gru_reset_before` copy to and from
``keras.layers.SimpleRNN``, ``LSTM``, ``GRU`` and ``GRU(reset_after=False)`` as they are.

This module imports no TensorFlow; `seqkit.network.keras.kernels` turns the rows into computation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

from seqkit.errors import explain, suggest

__all__ = ["ALIASES", "CELLS", "Cell", "CellName", "Weights", "find_cell"]

CellName: TypeAlias = Literal[
    "simple_rnn", "lstm_1997", "lstm", "vanilla", "nig", "nfg", "nog", "niaf", "noaf", "cifg",
    "fgr", "gru", "gru_reset_before", "np",
]  # fmt: skip
"""The names of `CELLS` and `ALIASES`, for signatures."""

ACTIVATIONS = ("sigmoid", "tanh", "linear")
RESETS = ("none", "after", "before")
LSTM_BLOCKS = ("i", "f", "c", "o")
GRU_BLOCKS = ("z", "r", "h")


class Weights(NamedTuple):
    """Weights of a cell with `units` units and G gate blocks: arrays, or tensors.

    kernel (n_features, G * units), recurrent_kernel (units, G * units), bias (G * units,) or
    (2, G * units), peephole_kernel (n_peepholes, units), gate_kernel (n_gates * units,
    n_gates * units): rows the previous gates, columns the gates they feed. None where absent.
    """

    kernel: Any
    recurrent_kernel: Any
    bias: Any = None
    peephole_kernel: Any = None
    gate_kernel: Any = None


@dataclass(frozen=True)
class Cell:
    r"""One recurrent cell: which gates it has and how they are fed.

    Parameters
    ----------
    name : str
        What a recipe calls it.
    title : str
        What a reader calls it.
    gates : tuple of str
        Blocks of the packed weights in Keras order, the candidate among them: a subset of
        ``("i", "f", "c", "o")`` with ``"c"``, or ``("z", "r", "h")``, or ``("h",)``.
    states : tuple of str
        What is carried from step to step, the output ``"h"`` first.
    equations : tuple of str
        The step in LaTeX, one equation a string, in the order of evaluation.
    citation : str
        Where the cell was published.
    history : str
        One or two sentences: what it was made for.
    peepholes : tuple of str, default=()
        Gates that also see the memory: i and f see c_{t-1}, o sees c_t.
    gate_activation, input_activation, output_activation : str
        Of the gates, of the candidate, of the memory on its way out.
    coupled : bool, default=False
        Whether f_t = 1 - i_t stands for the forget gate.
    gate_recurrence : tuple of str, default=()
        Gates whose previous values feed all these gates (`gate_kernel`).
    reset : {"none", "after", "before"}, default="none"
        Whether the reset gate multiplies after or before the recurrent product.

    Raises
    ------
    ValueError
        If the combination means nothing, for example a peephole to a gate that is absent.

    Examples
    --------
    >>> CELLS["cifg"].gates, CELLS["cifg"].states
    (('i', 'c', 'o'), ('h', 'c'))
    >>> CELLS["gru"].family
    'gru'
    """

    name: CellName
    title: str
    gates: tuple[str, ...]
    states: tuple[str, ...]
    equations: tuple[str, ...]
    citation: str
    history: str
    peepholes: tuple[str, ...] = ()
    gate_activation: str = "sigmoid"
    input_activation: str = "tanh"
    output_activation: str = "tanh"
    coupled: bool = False
    gate_recurrence: tuple[str, ...] = ()
    reset: str = "none"

    def __post_init__(self) -> None:
        def refuse(what: str, expected: str, got: object) -> None:
            raise ValueError(explain(f"cell {self.name!r}", what, expected, got))

        lstm = tuple(g for g in LSTM_BLOCKS if g in self.gates)
        if not (
            self.gates in (GRU_BLOCKS, ("h",))
            or (self.gates == lstm and "c" in lstm and len(lstm) > 1)
        ):
            refuse("gates", "blocks of i, f, c, o (with c and a gate), z, r, h, or h", self.gates)
        sigmoids = tuple(g for g in lstm if g != "c")
        if not set(self.peepholes) <= set(sigmoids) or list(self.peepholes) != sorted(
            self.peepholes, key="ifo".find
        ):
            refuse("peepholes", f"some of its own gates {sigmoids}, in order", self.peepholes)
        if self.coupled and (self.family != "lstm" or "i" not in self.gates or "f" in self.gates):
            refuse("coupled", "False without an input gate or with a forget gate", self.coupled)
        if self.gate_recurrence and self.gate_recurrence != sigmoids:
            refuse("gate_recurrence", f"all of its gates {sigmoids} or none", self.gate_recurrence)
        if self.reset not in RESETS or (self.reset == "none") == ("r" in self.gates):
            refuse("reset", "'after' or 'before' with a reset gate, 'none' without", self.reset)
        for what in ("gate_activation", "input_activation", "output_activation"):
            if getattr(self, what) not in ACTIVATIONS:
                refuse(what, f"one of {ACTIVATIONS}", getattr(self, what))
        memory = ("c",) if self.family == "lstm" else ()
        if self.states != ("h", *memory, *self.gate_recurrence):
            refuse("states", f"{('h', *memory, *self.gate_recurrence)}", self.states)
        if not (self.title and self.citation and self.history and self.equations):
            refuse("title, citation, history and equations", "given", "an empty one")

    @property
    def family(self) -> str:
        """Scheme the cell is a setting of: ``"simple"``, ``"lstm"`` or ``"gru"``."""
        return {("h",): "simple", GRU_BLOCKS: "gru"}.get(self.gates, "lstm")

    @property
    def forget_bias(self) -> tuple[str, float] | None:
        """Block and value that make the cell remember at first, ``None`` without such a gate.

        A coupled cell forgets by 1 - i_t, so its input gate starts at -1: 1 - s(-1) = s(1).
        """
        if "f" in self.gates:
            return "f", 1.0
        return ("i", -1.0) if self.coupled else None

    @property
    def bias_rows(self) -> int:
        """Rows of the bias: 2 (input, recurrent) where a gate multiplies R h, else 1."""
        return 2 if self.reset == "after" else 1


_GERS = "F. A. Gers, J. Schmidhuber, F. Cummins (2000), Learning to forget, Neural Computation 12"
_GREFF = "K. Greff et al. (2017), LSTM: a search space odyssey, IEEE TNNLS 28(10)"
_VANILLA = (
    "F. A. Gers, J. Schmidhuber (2000), Recurrent nets that time and count, IJCNN; "
    "A. Graves, J. Schmidhuber (2005), Framewise phoneme classification, Neural Networks 18"
)
_CHO = "K. Cho et al. (2014), Learning phrase representations using RNN encoder-decoder, EMNLP"
_CHUNG = "J. Chung et al. (2014), Empirical evaluation of gated recurrent neural networks"

# Equations of the LSTM scheme; the rows below pick and replace.
_I = r"i_t = \sigma(W_i x_t + R_i h_{t-1} + b_i)"
_F = r"f_t = \sigma(W_f x_t + R_f h_{t-1} + b_f)"
_O = r"o_t = \sigma(W_o x_t + R_o h_{t-1} + b_o)"
_IP = r"i_t = \sigma(W_i x_t + R_i h_{t-1} + p_i \odot c_{t-1} + b_i)"
_FP = r"f_t = \sigma(W_f x_t + R_f h_{t-1} + p_f \odot c_{t-1} + b_f)"
_OP = r"o_t = \sigma(W_o x_t + R_o h_{t-1} + p_o \odot c_t + b_o)"
_G = r"g_t = \tanh(W_c x_t + R_c h_{t-1} + b_c)"
_C = r"c_t = f_t \odot c_{t-1} + i_t \odot g_t"
_H = r"h_t = o_t \odot \tanh(c_t)"
_ALL, _HC, _PEEP = LSTM_BLOCKS, ("h", "c"), ("i", "f", "o")

_ROWS = (
    Cell(
        "simple_rnn",
        "Simple recurrent network",
        gates=("h",),
        states=("h",),
        equations=(r"h_t = \tanh(W x_t + R h_{t-1} + b)",),
        citation="J. L. Elman (1990), Finding structure in time, Cognitive Science 14",
        history="The hidden layer sees its own last value. Its gradient shrinks or grows "
        "with every step, so it learns short memories only.",
    ),
    Cell(
        "lstm_1997",
        "LSTM of 1997",
        gates=("i", "c", "o"),
        states=_HC,
        equations=(_I, _G, r"c_t = c_{t-1} + i_t \odot g_t", _O, _H),
        citation="S. Hochreiter, J. Schmidhuber (1997), Long short-term memory, "
        "Neural Computation 9(8)",
        history="The memory is a sum with weight one, the constant error carousel, so error "
        "travels back unchanged. It cannot forget: over long series the memory saturates. "
        "Squashing by tanh here (the paper scales it) and the full gradient (the paper truncates).",
    ),
    Cell(
        "lstm",
        "LSTM with forget gate",
        gates=_ALL,
        states=_HC,
        equations=(_I, _F, _G, _C, _O, _H),
        citation=_GERS,
        history="The forget gate lets the memory decay when the cell has learnt to. "
        "What keras.layers.LSTM computes; the np (no peepholes) of Greff et al.",
    ),
    Cell(
        "vanilla",
        "Vanilla LSTM",
        gates=_ALL,
        states=_HC,
        equations=(_IP, _FP, _G, _C, _OP, _H),
        citation=_VANILLA,
        history="Peepholes let the gates see the memory even when the output gate is shut, "
        "which counting and timing need. Trained with the full gradient; the baseline of "
        "Greff et al. (2017).",
        peepholes=_PEEP,
    ),
    Cell(
        "nig",
        "Vanilla LSTM, no input gate",
        gates=("f", "c", "o"),
        states=_HC,
        equations=(_FP, _G, r"c_t = f_t \odot c_{t-1} + g_t", _OP, _H),
        citation=_GREFF,
        history="Ablation: i_t = 1, every candidate enters the memory whole.",
        peepholes=("f", "o"),
    ),
    Cell(
        "nfg",
        "Vanilla LSTM, no forget gate",
        gates=("i", "c", "o"),
        states=_HC,
        equations=(_IP, _G, r"c_t = c_{t-1} + i_t \odot g_t", _OP, _H),
        citation=_GREFF,
        history="Ablation: f_t = 1, the memory never decays. One of the two that hurt most.",
        peepholes=("i", "o"),
    ),
    Cell(
        "nog",
        "Vanilla LSTM, no output gate",
        gates=("i", "f", "c"),
        states=_HC,
        equations=(_IP, _FP, _G, _C, r"h_t = \tanh(c_t)"),
        citation=_GREFF,
        history="Ablation: o_t = 1, the memory is always shown.",
        peepholes=("i", "f"),
    ),
    Cell(
        "niaf",
        "Vanilla LSTM, no input activation function",
        gates=_ALL,
        states=_HC,
        equations=(_IP, _FP, r"g_t = W_c x_t + R_c h_{t-1} + b_c", _C, _OP, _H),
        citation=_GREFF,
        history="Ablation: the candidate is linear.",
        peepholes=_PEEP,
        input_activation="linear",
    ),
    Cell(
        "noaf",
        "Vanilla LSTM, no output activation function",
        gates=_ALL,
        states=_HC,
        equations=(_IP, _FP, _G, _C, _OP, r"h_t = o_t \odot c_t"),
        citation=_GREFF,
        history="Ablation: the memory is shown unsquashed, so the output is unbounded. The "
        "other of the two that hurt most.",
        peepholes=_PEEP,
        output_activation="linear",
    ),
    Cell(
        "cifg",
        "Vanilla LSTM, coupled input and forget gate",
        gates=("i", "c", "o"),
        states=_HC,
        equations=(
            _IP,
            r"f_t = 1 - i_t",
            _G,
            r"c_t = (1 - i_t) \odot c_{t-1} + i_t \odot g_t",
            _OP,
            _H,
        ),
        citation=f"{_GREFF}; {_CHO}",
        history="What enters displaces what is kept, as in the GRU: a quarter fewer weights at "
        "no loss in Greff et al.",
        peepholes=("i", "o"),
        coupled=True,
    ),
    Cell(
        "fgr",
        "Vanilla LSTM, full gate recurrence",
        gates=_ALL,
        states=("h", "c", "i", "f", "o"),
        equations=(
            r"i_t = \sigma(W_i x_t + R_i h_{t-1} + p_i \odot c_{t-1}"
            r" + R_{ii} i_{t-1} + R_{fi} f_{t-1} + R_{oi} o_{t-1} + b_i)",
            r"f_t = \sigma(W_f x_t + R_f h_{t-1} + p_f \odot c_{t-1}"
            r" + R_{if} i_{t-1} + R_{ff} f_{t-1} + R_{of} o_{t-1} + b_f)",
            _G,
            _C,
            r"o_t = \sigma(W_o x_t + R_o h_{t-1} + p_o \odot c_t"
            r" + R_{io} i_{t-1} + R_{fo} f_{t-1} + R_{oo} o_{t-1} + b_o)",
            _H,
        ),
        citation=_GREFF,
        history="The gates of the last step feed the gates, as in the paper of 1997; nine more "
        "matrices and no gain in Greff et al. The gates before the first step are 0.",
        peepholes=_PEEP,
        gate_recurrence=_PEEP,
    ),
    Cell(
        "gru",
        "Gated recurrent unit, reset after the product",
        gates=GRU_BLOCKS,
        states=("h",),
        equations=(
            r"z_t = \sigma(W_z x_t + b_z + R_z h_{t-1} + d_z)",
            r"r_t = \sigma(W_r x_t + b_r + R_r h_{t-1} + d_r)",
            r"\tilde{h}_t = \tanh(W_h x_t + b_h + r_t \odot (R_h h_{t-1} + d_h))",
            r"h_t = z_t \odot h_{t-1} + (1 - z_t) \odot \tilde{h}_t",
        ),
        citation=_CHO,
        history="One state, two gates. The order cuDNN and keras.layers.GRU compute by "
        "default (the reset of the paper's first arXiv version), with two rows of bias, b and d.",
        reset="after",
    ),
    Cell(
        "gru_reset_before",
        "Gated recurrent unit, reset before the product",
        gates=GRU_BLOCKS,
        states=("h",),
        equations=(
            r"z_t = \sigma(W_z x_t + R_z h_{t-1} + b_z)",
            r"r_t = \sigma(W_r x_t + R_r h_{t-1} + b_r)",
            r"\tilde{h}_t = \tanh(W_h x_t + R_h (r_t \odot h_{t-1}) + b_h)",
            r"h_t = z_t \odot h_{t-1} + (1 - z_t) \odot \tilde{h}_t",
        ),
        citation=_CHUNG,
        history="The original order: the reset gate chooses which units the product sees.",
        reset="before",
    ),
)

CELLS: dict[str, Cell] = {row.name: row for row in _ROWS}
"""Every cell by its name."""

ALIASES: dict[str, str] = {"np": "lstm"}
"""Other names: `np`, "no peepholes", is what Greff et al. call `lstm`."""


def find_cell(name: str, where: str = "GatedRNN") -> Cell:
    """Return the cell of that name or alias.

    Parameters
    ----------
    name : str
        A key of `CELLS` or `ALIASES`.
    where : str, default="GatedRNN"
        Whose argument it is, for the error message.

    Raises
    ------
    ValueError
        If there is no such cell; says the nearest name.

    Examples
    --------
    >>> find_cell("np").title
    'LSTM with forget gate'
    """
    if name in ALIASES:
        name = ALIASES[name]
    if name not in CELLS:
        known = sorted([*CELLS, *ALIASES])
        raise ValueError(explain(where, "cell", f"one of {known}", name, suggest(name, known)))
    return CELLS[name]
