"""Style of all plots: parameters, colours, mazes in panels."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from dynamaze.benchmarks.harness.analysis.plots import (
    COLOURS,
    CYCLE,
    STYLE,
    curve_styles,
    panels,
    plot_style,
    styled,
)

matplotlib = pytest.importorskip("matplotlib")
SOURCES = Path(__file__).parents[4] / "benchmarks"


def draw_two() -> Any:
    """Return a figure of two lines without colours of their own."""
    figure, ((axes,),) = panels(size=(3, 2))
    axes.plot([0, 1], label="first")
    axes.plot([1, 0], label="second")
    axes.legend()
    return figure


def test_styled_sets_colours_and_frames() -> None:
    (axes,) = styled(draw_two).axes
    assert [line.get_color() for line in axes.lines] == [*CYCLE[:2]]
    assert not axes.get_legend().get_frame_on()
    assert not axes.spines["top"].get_visible()


def test_styled_ticks_keep_style() -> None:
    # Ticks are made when they are first drawn, which may be after the style has ended.
    (axes,) = styled(draw_two).axes
    sizes = {label.get_fontsize() for label in axes.get_xticklabels()}
    assert sizes == {STYLE["xtick.labelsize"]}


def test_style_restores_parameters() -> None:
    before = dict(matplotlib.rcParams)
    with plot_style():
        assert matplotlib.rcParams["axes.titlesize"] == STYLE["axes.titlesize"]
    assert dict(matplotlib.rcParams) == before
    with pytest.raises(ZeroDivisionError):
        styled(lambda: 1 // 0)  # type: ignore[arg-type,return-value]  # no figure
    assert dict(matplotlib.rcParams) == before


def test_named_colours_are_of_palette() -> None:
    greys = {colour for colour in COLOURS.values() if len(set(re.findall("..", colour[1:]))) == 1}
    assert {*COLOURS.values()} - greys <= {*CYCLE}
    assert len(greys) == 2  # black and one grey


def test_studies_have_no_other_colours() -> None:
    sources = [path for path in SOURCES.rglob("*.py") if path.name != "plots.py"]
    assert len(sources) > 100
    for path in sources:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r'colou?r="[^"]+"|"tab:|"C[\d{]|plt\.style|rcParams', text), path


def test_curve_styles_are_distinct() -> None:
    names = [str(number) for number in range(28)]
    styles = curve_styles(names)
    assert [*styles] == names
    assert len({tuple(style.values()) for style in styles.values()}) == 28
    assert {style["color"] for style in styles.values()} == {*CYCLE}
