"""Write docs/cells.md and a drawing of every cell from the table in seqkit/cells.py.

    python docs/make_cells.py

tests/test_cells.py fails while the page is older than the table.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from seqkit.cells import ALIASES, CELLS, Cell  # noqa: E402

INTRODUCTION = """\
# Cells

The recurrent cells of `seqkit`, in the order of their history. This page is generated from the
table in `seqkit/cells.py` by `python docs/make_cells.py`.

Notation: $x_t$ the input, $h_t$ the output, $c_t$ the memory; $W$ is `kernel`, $R$
`recurrent_kernel`, $p$ a row of `peephole_kernel`, $b$ `bias` (and $d$ its second row);
$\\sigma$ the logistic function, $\\odot$ the product by element. In the drawings a filled box is
a gate, a dashed grey one is a gate fixed at one, a dashed line a peephole.

| cell | what it is | gates | peepholes | weights for 64 units, 8 features |
|---|---|---|---|---|
"""


def n_weights(cell: Cell, units: int = 64, n_features: int = 8) -> int:
    """Return how many numbers the cell learns."""
    columns = len(cell.gates) * units
    return (
        columns * (n_features + units + cell.bias_rows)
        + len(cell.peepholes) * units
        + (len(cell.gate_recurrence) * units) ** 2
    )


def page() -> str:
    """Return the page as Markdown."""
    rows, parts = [], []
    for cell in CELLS.values():
        aliases = [a for a, name in ALIASES.items() if name == cell.name]
        also = f" (alias {', '.join(f'`{a}`' for a in aliases)})" if aliases else ""
        gates = ", ".join(g for g in cell.gates if (g not in "ch" or cell.family == "simple"))
        rows.append(
            f"| [`{cell.name}`](#{cell.name}){also} | {cell.title} "
            f"| {gates if cell.family != 'simple' else '-'} | {', '.join(cell.peepholes) or '-'} "
            f"| {n_weights(cell):,} |\n"
        )
        equations = " \\\\\n".join(e.replace(" = ", " &= ", 1) for e in cell.equations)
        parts.append(
            f"\n## {cell.name}\n\n{cell.title}{also}. {cell.history}\n\n"
            f"![{cell.title}](cells/{cell.name}.svg)\n\n"
            f"$$\n\\begin{{aligned}}\n{equations}\n\\end{{aligned}}\n$$\n\n"
            f"States carried from step to step: {', '.join(f'${s}$' for s in cell.states)}.\n\n"
            f"Source: {cell.citation}.\n"
        )
    return INTRODUCTION + "".join(rows) + "".join(parts)


GATE, ABSENT, LINE = "#9ecae1", "#d9d9d9", "#333333"


def draw(cell: Cell, ax) -> None:
    """Draw a cell's flow of data on an axes."""
    ax.set_xlim(0, 12)
    ax.set_ylim(0, 7)
    ax.set_aspect("equal")
    ax.axis("off")
    ax.set_title(cell.title, fontsize=11)

    def arrow(a, b, dashed=False, color=LINE):
        style = {"linestyle": "--"} if dashed else {}
        ax.annotate(
            "", b, a, arrowprops={"arrowstyle": "->", "color": color, "shrinkA": 0, "shrinkB": 0}
            | style,
        )  # fmt: skip

    def box(x, y, text, color=GATE, dashed=False):
        ax.text(
            x, y, text, ha="center", va="center", fontsize=11, zorder=3,
            bbox={"boxstyle": "round,pad=0.35", "fc": color, "ec": "grey" if dashed else LINE,
                  "linestyle": "--" if dashed else "-"},
        )  # fmt: skip

    def node(x, y, text):
        ax.text(x, y, text, ha="center", va="center", fontsize=10, zorder=3,
                bbox={"boxstyle": "circle,pad=0.2", "fc": "white", "ec": LINE})  # fmt: skip

    bus = 1.0
    ax.plot([0.6, 9.6 if cell.family != "simple" else 6], [bus, bus], color=LINE, lw=1)
    ax.text(0.5, bus + 0.35, "$h_{t-1}$", ha="right", va="center")
    ax.text(0.5, bus - 0.35, "$x_t$", ha="right", va="center")

    if cell.family == "simple":
        box(6, 3, r"$\tanh$", "#c7e9c0")
        arrow((6, bus), (6, 2.5))
        arrow((6.6, 3), (10.6, 3))
        ax.text(10.8, 3, "$h_t$", va="center")
        return

    if cell.family == "gru":
        top = 5.5
        ax.text(0.5, top, "$h_{t-1}$", ha="right", va="center")
        node(6.6, top, r"$\times$")
        node(9.4, top, "+")
        node(9.4, 4, r"$\times$")
        arrow((0.6, top), (6.25, top))
        arrow((6.95, top), (9.05, top))
        arrow((9.75, top), (11.2, top))
        ax.text(11.3, top, "$h_t$", va="center")
        box(2.6, 2.6, r"$\sigma$ r")
        box(6.6, 2.6, r"$\sigma$ z")
        box(9.4, 2.6, r"$\tanh$", "#c7e9c0")
        for x in (2.6, 6.6, 9.4):
            arrow((x, bus), (x, 2.1))
        arrow((6.6, 3.1), (6.6, 5.15))
        arrow((9.4, 3.1), (9.4, 3.65))
        arrow((9.4, 4.35), (9.4, 5.15))
        arrow((7.1, 2.9), (9.1, 3.85))
        ax.text(8.0, 3.95, "$1-z$", fontsize=9, ha="center")
        ax.plot([2.6, 2.6, 8.3], [3.1, 3.4, 3.4], color=LINE, lw=1)
        where = "before" if cell.reset == "before" else "after"
        arrow((8.3, 3.4), (8.9, 2.85))
        ax.text(4.4, 3.6, f"times h, {where} the product", fontsize=8, ha="center")
        return

    top = 5.5
    places = {"f": 2.4, "i": 4.6, "c": 6.6, "o": 9.0}
    ax.text(0.5, top, "$c_{t-1}$", ha="right", va="center")
    node(2.4, top, r"$\times$")
    node(5.6, top, "+")
    node(5.6, 4.1, r"$\times$")
    arrow((0.6, top), (2.05, top))
    arrow((2.75, top), (5.25, top))
    arrow((5.95, top), (11.2, top))
    ax.text(11.3, top, "$c_t$", va="center")
    arrow((5.6, 4.45), (5.6, 5.15))
    for gate, x in places.items():
        if gate == "c":
            squash = r"$\tanh$" if cell.input_activation == "tanh" else "linear"
            box(x, 2.6, f"{squash} g", "#c7e9c0")
        elif gate in cell.gates:
            box(x, 2.6, rf"$\sigma$ {gate}")
        elif gate == "f" and cell.coupled:
            box(x, 2.6, "$1 - i$", GATE)
            arrow((4.05, 2.6), (2.95, 2.6))
        else:
            box(x, 2.6, f"{gate} = 1", ABSENT, dashed=True)
        if gate in cell.gates:
            arrow((x, bus), (x, 2.1))
    arrow((2.4, 3.1), (2.4, 5.15))
    arrow((4.75, 3.1), (5.4, 3.8))
    arrow((6.45, 3.1), (5.8, 3.8))
    node(10.2, 3.6, r"$\times$")
    squash = r"$\tanh$" if cell.output_activation == "tanh" else "linear"
    box(10.2, 4.6, squash, "#c7e9c0")
    arrow((10.2, top), (10.2, 5.05))
    arrow((10.2, 4.15), (10.2, 3.95))
    arrow((9.4, 3.0), (9.9, 3.4))
    arrow((10.55, 3.6), (11.2, 3.6))
    ax.text(11.3, 3.6, "$h_t$", va="center")
    for gate in cell.peepholes:
        x = places[gate]
        start = (8.4, top) if gate == "o" else (1.3, top)
        arrow(start, (x - (0.25 if gate != "o" else 0.1), 3.1), dashed=True, color="#d6604d")
    if cell.gate_recurrence:
        ax.plot([9.5, 11.4, 11.4, 1.6], [2.6, 2.6, 0.3, 0.3], color="#542788", lw=1, ls=":")
        for gate in cell.gate_recurrence:
            arrow((places[gate] - 0.4, 0.3), (places[gate] - 0.3, 2.1), True, "#542788")
        ax.text(6, 0.02, "$i_{t-1}, f_{t-1}, o_{t-1}$", fontsize=9, ha="center", color="#542788")


def main() -> None:
    """Write the page and the drawings."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "seqkit"  # the same file every time
    matplotlib.rcParams["svg.fonttype"] = "none"
    import matplotlib.pyplot as plt

    (HERE / "cells").mkdir(exist_ok=True)
    for cell in CELLS.values():
        figure, ax = plt.subplots(figsize=(6, 3.6))
        draw(cell, ax)
        path = HERE / "cells" / f"{cell.name}.svg"
        figure.savefig(path, bbox_inches="tight", metadata={"Date": None})
        if "--png" in sys.argv:
            figure.savefig(path.with_suffix(".png"), bbox_inches="tight", dpi=70)
        plt.close(figure)
        text = path.read_text()
        path.write_text("\n".join(line.rstrip() for line in text.splitlines()) + "\n")
    (HERE / "cells.md").write_text(page())


if __name__ == "__main__":
    main()
