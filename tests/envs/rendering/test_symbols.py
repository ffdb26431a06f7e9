"""Symbols: their shapes and the sprites that are drawn of them."""

from __future__ import annotations

import numpy as np
import pytest

from dynamaze.envs.rendering import symbols
from dynamaze.envs.rendering.shapes import Box, Disc, Ring, coverage, make_grid, mask
from dynamaze.envs.rendering.sprites import picture, stack
from dynamaze.envs.rendering.symbols import LEVELS, SMALL, Parts, Symbol

ALL = [
    *(each for each in vars(symbols).values() if isinstance(each, Symbol)),
    *symbols.ACTION_VALUES,
    *symbols.ACTION_VALUES_AROUND_HUB,
    *symbols.PLANNED,
    *symbols.ARROWS,
    symbols.agent_symbol(0, 1),
]


def parts_of(symbol: Symbol, level: float) -> Parts:
    return symbol.parts(level) if callable(symbol.parts) else symbol.parts


def test_symbols_have_unique_names() -> None:
    assert len(ALL) == 34
    names = [(symbol.name, symbol.turns) for symbol in ALL]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("size", [1, SMALL - 1, SMALL, 32])
def test_symbols_are_drawn_in_any_size(size: int) -> None:
    for symbol in ALL:
        drawn = bool(symbol.small) or size >= SMALL
        assert (stack(symbol, size) is not None) == drawn, symbol.name
        if not callable(symbol.parts):
            assert (picture(symbol, size) is not None) == drawn, symbol.name


def test_stacks_grow_with_level() -> None:
    for symbol in ALL:
        pictures = stack(symbol, 32)
        assert pictures is not None
        weights = pictures.weight.astype(float).sum(axis=(1, 2, 3))
        order = 1 if symbol is symbols.DOT else -1
        assert len(weights) == LEVELS
        assert (order * np.diff(weights) > 0).all(), symbol.name


def test_bar_length_is_linear() -> None:
    bars = [parts_of(symbols.VISITS_BAR, level)[-1].shape for level in (0.25, 0.5, 1.0)]
    lengths = [bar.right - bar.left for bar in bars if isinstance(bar, Box)]
    np.testing.assert_allclose(lengths, np.array([0.25, 0.5, 1.0]) * lengths[-1])


def test_bubble_area_is_linear() -> None:
    rings = [parts_of(symbols.BUBBLE, level)[1].shape for level in (0.2, 0.4, 0.6, 0.8)]
    discs = [ring.outer for ring in rings if isinstance(ring, Ring)]
    areas = [disc.radius**2 for disc in discs if isinstance(disc, Disc)]
    np.testing.assert_allclose(np.diff(areas), areas[1] - areas[0])


@pytest.mark.parametrize("symbol", ALL, ids=lambda each: f"{each.name}-{each.turns}")
def test_symbol_lies_in_its_cell(symbol: Symbol) -> None:
    grid = make_grid(32)
    for part in parts_of(symbol, 1.0):
        covered = coverage(grid, mask(grid, part.shape))
        assert 0.0 < covered.sum() <= covered.size
