"""Style of all plots: labels, colours and markers by name, panels, intervals as bands and bars.

The colours are those of the mazes' pictures, which readers with any colour vision can tell apart
(`dynamaze.common.palette`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.benchmarks.harness.analysis.intervals import IntervalEstimate
from dynamaze.common import palette
from dynamaze.common.arrays import FloatArray
from dynamaze.common.optional_imports import optional_import

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


BLACK = palette.hex_code(palette.BLACK)
BLUE = palette.hex_code(palette.BLUE)
GREEN = palette.hex_code(palette.GREEN)
ORANGE = palette.hex_code(palette.ORANGE)
PURPLE = palette.hex_code(palette.PURPLE)
SKY_BLUE = palette.hex_code(palette.SKY_BLUE)
VERMILLION = palette.hex_code(palette.VERMILLION)
GREY, LIGHT_GREY = "#808080", "#c0c0c0"

CYCLE = (BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY_BLUE, BLACK)
"""Colours of curves without a name; the palette's yellow is too pale on white."""


class MethodStyle(NamedTuple):
    """Label, colour and marker of an agent or planner."""

    label: str
    colour: str
    marker: str = ""


METHODS = {
    "q_learning": MethodStyle("Q-learning", BLACK),
    "DynaQ": MethodStyle("Dyna-Q", VERMILLION),
    "DynaQPlus": MethodStyle("Dyna-Q+", BLUE),
    "uniform": MethodStyle("Dyna-Q", VERMILLION, "o"),
    "prioritised_sweeping": MethodStyle("prioritised sweeping", BLUE, "s"),
    "trajectory_sampling": MethodStyle("trajectory sampling", ORANGE, "v"),
    "dynamic_programming": MethodStyle("dynamic programming", GREEN, "^"),
    "forward": MethodStyle("forward search", BLACK, "o"),
    "sparse": MethodStyle("sparse sampling", BLUE, "s"),
    "monte_carlo": MethodStyle("Monte-Carlo search", ORANGE, "v"),
    "tree": MethodStyle("tree search (UCT)", GREEN, "^"),
    "td": MethodStyle("TD search", PURPLE, "D"),
    "dyna_2": MethodStyle("Dyna-2", SKY_BLUE, "X"),
}
"""Agents and planners by their names in the stored tables."""

COLOURS = {
    **{name: style.colour for name, style in METHODS.items()},
    # without a search (equal_budgets)
    "chance": GREY,
    # exploration bonus (exercise_8_4)
    "none": VERMILLION,
    "planning": BLUE,
    "action": GREEN,
    # numbers of successors (figure_8_8)
    "b = 1": BLUE,
    "b = 3": ORANGE,
    "b = 10": GREEN,
    # methods of model_confidence
    "Dyna-Q": VERMILLION,
    "Dyna-Q+": BLUE,
    "Scored": ORANGE,
    "Uncertainty": PURPLE,
    "Scored + uncertainty": GREEN,
    # families of models (model_comparison)
    "table": BLUE,
    "linear": GREEN,
    "learned": ORANGE,
    # algorithms and methods of Stable-Baselines3
    "PPO": BLUE,
    "SAC": ORANGE,
    "model-free": VERMILLION,
    "learned model": BLUE,
    "true environment": GREY,
    # linear Dyna (linear_dyna, mountain_car)
    "TD": BLACK,
    "Q-learning": BLACK,
    "TD on the model": PURPLE,
    "Dyna, states seen": ORANGE,
    "Dyna, random": VERMILLION,
    "Dyna, PWMA": BLUE,
    "Dyna, MG": GREEN,
    "Dyna, MG by pops": SKY_BLUE,
    # initial weights (deep_belief)
    "random weights": VERMILLION,
    "pre-trained on the same inputs": ORANGE,
    "pre-trained, also on unlabelled inputs": GREEN,
    # losses (soft_labels)
    "hard labels": BLACK,
    "KL, temperature 1": BLUE,
    "KL, temperature 2": ORANGE,
    "KL, temperature 4": GREEN,
    "centred logits": PURPLE,
    # sizes in training (transformer)
    "7x7 alone": ORANGE,
    "7x7 to 11x11": BLUE,
    # adaptive or not (loca)
    "yes": GREEN,
    "no": VERMILLION,
    "undecided": GREY,
    # groups of students and baselines (frontier)
    "VIN": BLUE,
    "convolutional": ORANGE,
    "MLP": GREEN,
    "fitted table": PURPLE,
    "policy gradient": VERMILLION,
    "teacher": BLACK,
    "pruned": SKY_BLUE,
    "exact planner, initial map": GREY,
}
"""Colours by name; names of different studies may share one."""

REFERENCE: dict[str, Any] = {"color": GREY, "linestyle": ":"}
"""Style of lines of exact and ideal values."""

EVENT: dict[str, Any] = {"color": GREY, "linewidth": 0.8}
"""Style of the vertical line of a change, and of axes."""

BAND: dict[str, Any] = {"alpha": 0.25, "linewidth": 0}
"""Style of intervals as bands."""


STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": GREY,
    "axes.grid": True,
    "axes.labelsize": 9,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10,
    "figure.titlesize": 11,
    "font.size": 9,
    "grid.alpha": 0.4,
    "grid.color": LIGHT_GREY,
    "grid.linewidth": 0.6,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "lines.linewidth": 1.5,
    "xtick.color": GREY,
    "xtick.labelcolor": BLACK,
    "xtick.labelsize": 8,
    "ytick.color": GREY,
    "ytick.labelcolor": BLACK,
    "ytick.labelsize": 8,
}
"""Parameters of Matplotlib of all plots; `plot_style` adds the colours of `CYCLE`."""


@contextmanager
def plot_style() -> Iterator[None]:
    """Use the style of all plots inside a `with` block, and the caller's again after it.

    Raises:
        MissingLibraryError: (an ImportError) if Matplotlib is missing.
    """
    matplotlib = optional_import("matplotlib", purpose="a plot")
    from cycler import cycler  # Matplotlib depends on it

    with matplotlib.rc_context({**STYLE, "axes.prop_cycle": cycler(color=CYCLE)}):
        yield


def styled(plot: Callable[..., Figure], *arguments: Any) -> Figure:
    """Return the figure of a function and its arguments in the style of all plots.

    Raises:
        MissingLibraryError: (an ImportError) if Matplotlib is missing.
    """
    with plot_style():
        figure = plot(*arguments)
        figure.draw_without_rendering()  # ticks take their style when they are first drawn
    return figure


def curve_styles(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return a colour and a line for each of up to 28 curves, by name.

    Colours are given by their codes: Matplotlib reads "C0" when it draws, in the style of then.
    """
    lines = ("-", "--", "-.", ":")
    return {
        name: {"color": CYCLE[at % len(CYCLE)], "linestyle": lines[at // len(CYCLE) % len(lines)]}
        for at, name in enumerate(names)
    }


def empty_figure(size: tuple[float, float]) -> Figure:
    """Return a figure without panels.

    Args:
        size: width and height in inches.

    Raises:
        MissingLibraryError: (an ImportError) if Matplotlib is missing.
    """
    module = optional_import("matplotlib.figure", purpose="a plot")
    figure: Figure = module.Figure(figsize=size, layout="constrained")
    return figure


def panels(
    rows: int = 1, cols: int = 1, *, size: tuple[float, float] = (7, 4.5), **grid: Any
) -> tuple[Figure, Any]:
    """Return a figure and its panels, an array of (rows, cols) axes.

    Args:
        rows: number of rows.
        cols: number of columns.
        size: width and height in inches.
        grid: further arguments of `Figure.subplots`.
    """
    figure = empty_figure(size)
    return figure, figure.subplots(rows, cols, squeeze=False, **grid)


def line_with_band(axes: Axes, x: Any, interval: IntervalEstimate, **style: Any) -> str:
    """Draw a line of means with their intervals as a band, and return its colour.

    Args:
        axes: of the plot.
        x: (points,) places.
        interval: of (points,) numbers.
        style: of the line.
    """
    from matplotlib.colors import to_hex

    (line,) = axes.plot(x, interval.mean, **style)
    colour = to_hex(line.get_color())
    axes.fill_between(x, interval.low, interval.high, color=colour, **BAND)
    return colour


def points_with_bars(
    axes: Axes, x: Any, interval: IntervalEstimate, *, horizontal: bool = False, **style: Any
) -> None:
    """Draw means as points, with their intervals as bars.

    Args:
        axes: of the plot.
        x: one place, or (points,) places.
        interval: of one number or of (points,) numbers.
        horizontal: whether x is the vertical place, and the bars are horizontal.
        style: of the points.
    """
    mean, low, high = (np.atleast_1d(part) for part in interval)
    # Rounding must not turn a bar round.
    bars = np.maximum([mean - low, high - mean], 0)
    places = np.atleast_1d(x)
    style = {"capsize": 3, **style}
    if horizontal:
        axes.errorbar(mean, places, xerr=bars, **style)
    else:
        axes.errorbar(places, mean, yerr=bars, **style)


def points_of_runs(axes: Axes, at: int, samples: FloatArray, **style: Any) -> None:
    """Draw a point for each run beside one place of the horizontal axis."""
    spread = at + np.linspace(-0.2, 0.2, len(samples))
    axes.plot(spread, samples, ".", color=LIGHT_GREY, zorder=0, **style)


def number_ticks(axes: Axes, numbers: npt.ArrayLike) -> None:
    """Mark these numbers, and no others, on a logarithmic horizontal axis."""
    values = np.asarray(numbers)
    axes.set_xticks(values, labels=[f"{number:g}" for number in values.tolist()])
    axes.minorticks_off()


def legend_below(figure: Figure, axes: Axes, cols: int) -> None:
    """Draw the legend of one panel below all panels."""
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=cols)
