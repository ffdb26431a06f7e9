"""Shared helpers of the environments' tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dynamaze.envs import Layout, LayoutError

from .helpers import ALL_KINDS, BY_EPISODE, NUMBERS, SEVERAL, TIMED

CHANGING: dict[str, tuple[str, dict[str, Any]]] = {
    "by episode": ("DynaMaze-v0", BY_EPISODE),
    "numbers": ("DynaMaze-v0", NUMBERS),
    "generated": ("DynaMazeGenerated-v0", {"size": 5, "slip_probability": 0.1}),
    "few levels": ("DynaMazeGenerated-v0", {"size": (3, 5), "levels": 3, "first_level": 7}),
    "generated, changing": (
        "DynaMazeGenerated-v0",
        {
            "size": 7,
            "algorithm": "obstacles",
            "random_changes": {"when": "poisson", "rate": 0.3, "what": ["walls", "goal"]},
        },
    ),
    "adaptation": (
        "DynaMazeAdaptation-v0",
        {"size": (5, 7), "levels": 9, "run_steps": 30, "slip_probability": 0.1},
    ),
    "drifting": (
        "DynaMazeDrifting-v0",
        {"random_changes": {"when": "each_step", "probability": 0.2, "cells": 2}},
    ),
    "timed": ("DynaMaze-v0", TIMED),
    "everything": (
        "DynaMaze-v0",
        {"layout": SEVERAL, "slip_probability": 0.2, "random_changes": ALL_KINDS},
    ),
}


@pytest.fixture(params=sorted(CHANGING))
def changing_env(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """An id and its arguments: an environment that changes in one of all ways."""
    return CHANGING[request.param]


@pytest.fixture
def random_layout() -> Callable[[np.random.Generator], Layout]:
    """Return a function that draws solvable mazes of up to 6x6 cells, 1 to 3 starts and goals."""

    def make(rng: np.random.Generator) -> Layout:
        while True:
            rows, cols = rng.integers(2, 7, size=2)
            grid = rng.choice(list("...#"), size=(rows, cols))
            cells = rng.permutation(rows * cols)
            starts, goals = rng.integers(1, 4, size=2)
            for letter, chosen in (("G", cells[:goals]), ("S", cells[goals : goals + starts])):
                grid.flat[chosen] = letter
            try:
                return Layout.from_text(["".join(row) for row in grid])
            except LayoutError:
                continue

    return make


@pytest.fixture
def same() -> Callable[[Any, Any], None]:
    """Return a function that asserts equal structure, types, dtypes and numbers of two results."""

    def check(left: Any, right: Any, where: str = "") -> None:
        assert type(left) is type(right), where
        if isinstance(left, dict):
            assert left.keys() == right.keys(), where
            for key in left:
                check(left[key], right[key], f"{where}/{key}")
        elif isinstance(left, tuple):
            assert len(left) == len(right), where
            for number, (one, other) in enumerate(zip(left, right, strict=True)):
                check(one, other, f"{where}[{number}]")
        elif isinstance(left, np.ndarray) and left.dtype == object:
            assert right.dtype == object, where
            check(tuple(left), tuple(right), where)
        elif isinstance(left, np.ndarray):
            assert (left.dtype, left.shape) == (right.dtype, right.shape), where
            np.testing.assert_array_equal(left, right, where)
        else:
            assert left == right, where

    return check
