"""What the pictures of a run share: colours, axes, and files they are drawn into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from seqkit.evaluation.baselines import BASELINES
from seqkit.evaluation.metrics import METRICS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "BLUE",
    "INK",
    "ORANGE",
    "OTHERS",
    "Display",
    "axes_of",
    "ink",
    "legend_above",
    "log_scale",
    "metric_title",
    "panels_of",
    "prediction_title",
    "save_displays",
]

# Okabe and Ito's colours for all kinds of sight, lightened to be seen on white and on black.
BLUE, ORANGE, GREEN, PINK, SKY, RED = (
    "#2b83c6", "#e08a1e", "#1f9e77", "#c46a9c", "#56b4e9", "#d9552b",
)  # fmt: skip
OTHERS = (ORANGE, GREEN, PINK, SKY, RED)

# Drawn with this colour, text and axes take the colour of the page a picture is shown on.
INK = "#0b0b0c"


def axes_of(ax: Axes | None, figsize: tuple[float, float]) -> Axes:
    """Return the axes to draw on, or new ones, without a frame and with a faint grid."""
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=figsize, layout="constrained")
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_axisbelow(True)
    ax.grid(alpha=0.25, linewidth=0.6)
    return ax


def legend_above(ax: Axes, title: str | None = None) -> None:
    """Put the legend above the axes: over a series no corner is always free, and phones are narrow.

    The title stands in it, left, where the axes' own title would overlap.
    """
    n = len(ax.get_legend_handles_labels()[0])
    legend = ax.legend(
        frameon=False, loc="lower left", bbox_to_anchor=(0.0, 1.0), borderaxespad=0.5,
        ncols=n if n <= 4 else -(-n // 2), fontsize="small", title=title,
        alignment="left", borderpad=0, columnspacing=1.4,
    )  # fmt: skip
    legend.get_title().set_fontweight("bold")
    # such as 1e6, which else stands where the legend begins
    ax.yaxis.get_offset_text().set_horizontalalignment("right")


def panels_of(
    ax: Axes, heights: Sequence[float], bars: bool = False
) -> tuple[list[Axes], list[Any]]:
    """Divide the place of axes into panels over one horizontal axis, and places of colour bars.

    Parameters
    ----------
    ax : Axes
        It becomes the first panel.
    heights : sequence of float
    bars : bool, default=False
        Whether every panel but the first has a place for a bar of colours.
    """
    from matplotlib.gridspec import GridSpecFromSubplotSpec

    figure, place = ax.get_figure(), ax.get_subplotspec()
    assert figure is not None
    if place is None:  # axes that stand freely
        box = ax.get_position()
        free = {"left": box.x0, "right": box.x1, "bottom": box.y0, "top": box.y1}
        place = figure.add_gridspec(1, 1, **free)[0]
    ratios = [60, 1] if bars else [1]
    grid = GridSpecFromSubplotSpec(
        len(heights), len(ratios), place, height_ratios=heights, width_ratios=ratios
    )
    ax.set_subplotspec(grid[0, 0])
    below = [figure.add_subplot(grid[k, 0], sharex=ax) for k in range(1, len(heights))]
    panels = [ax, *(axes_of(one, (0, 0)) for one in below)]
    for panel in panels[:-1]:
        panel.tick_params(labelbottom=False)
    places = [figure.add_subplot(grid[k, 1]) for k in range(1, len(heights))] if bars else []
    return panels, places


def log_scale(ax: Axes) -> None:
    """Make the vertical axis logarithmic, its numbers plain text: no formula is written."""
    from matplotlib.ticker import LogFormatter

    class Plain(LogFormatter):
        def __call__(self, x: float, pos: int | None = None) -> str:
            return f"{x:g}" if super().__call__(x, pos) else ""

    ax.set_yscale("log")
    ax.yaxis.set_major_formatter(Plain())
    ax.yaxis.set_minor_formatter(Plain(minor_thresholds=(1.5, 0.5)))


def ink() -> str:
    """Return the colour of text."""
    from matplotlib import rcParams

    return str(rcParams["text.color"])


def prediction_title(name: str) -> str:
    """Return what a legend calls the model or a baseline."""
    return BASELINES[name].title if name in BASELINES else name


def metric_title(name: str) -> str:
    """Return what an axis calls a metric, with its unit."""
    if name not in METRICS:
        return name
    return METRICS[name].title + (" (%)" if METRICS[name].unit == "%" else "")


class Display:
    """What all displays share: a figure of their own unless they are given axes."""

    figsize = (7.0, 4.0)
    ax_: Axes
    figure_: Figure

    def _done(self, ax: Axes) -> Self:
        self.ax_, self.figure_ = ax, ax.figure  # type: ignore[assignment]
        return self


def save_displays(
    folder: Path, displays: Mapping[str, Any], suffixes: Sequence[str] = (".svg", ".png")
) -> list[Path]:
    """Draw displays into files named after them, without touching Matplotlib's state.

    An SVG is drawn on nothing and its text is text, so that a page can give it its own colours; a
    PNG is drawn on white.

    Parameters
    ----------
    folder : Path
        Made where it does not exist.
    displays : mapping of str to display
    suffixes : sequence of str

    Returns
    -------
    list of Path
    """
    import warnings

    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    settings: dict[Any, Any] = dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK
    )
    # Names of series and classes are shown as they are: a dollar sign starts no formula.
    settings |= {"svg.fonttype": "none", "text.parse_math": False}
    written = []
    for name, display in displays.items():
        # hashsalt and no date: the same run writes the same file
        with mpl.rc_context({**settings, "svg.hashsalt": name}), warnings.catch_warnings():
            # A name in a script that the font has not got is still text in the SVG.
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")
            figure = Figure(figsize=display.figsize, layout="constrained")
            FigureCanvasAgg(figure)
            display.plot(ax=figure.subplots())
            for suffix in suffixes:
                path = folder / f"{name}{suffix}"
                if suffix == ".svg":
                    figure.savefig(path, transparent=True, metadata={"Date": None})
                else:
                    figure.savefig(path, dpi=144, facecolor="white")
                written.append(path)
    return written
