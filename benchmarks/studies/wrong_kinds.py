"""The ways in which models are wrong, and the planners that plan with them."""

from __future__ import annotations

from typing import Any, NamedTuple

from dynamaze.agents import LatestOutcome, MaximumLikelihood
from dynamaze.agents.models import TableModel

CLOSED = """\
.......#G
..#....#.
S.#....#.
..#..##..
.....#...
.........
"""
"""The way of 14 steps is blocked; one of 16 is left."""

OPENED = """\
.......#G
..#....#.
S.#....#.
..#..##..
.........
.........
"""
"""It is blocked, and there is another one of 14 steps."""


class Kind(NamedTuple):
    """A way to be wrong."""

    title: str
    dial: str  # what it is
    dials: tuple[float, ...]
    inside: type[TableModel[Any]]  # the model that is made wrong
    after: str | None = None  # the maze from half of the steps on; None for the same


SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
KINDS = {
    "noise": Kind("Noise", "share of the pairs", (0.0, 0.05, 0.1, 0.3, 0.5), LatestOutcome),
    "closed": Kind(
        "A missed change: a way closes", "share of the cells", SHARES, LatestOutcome, CLOSED
    ),
    "opened": Kind(
        "A missed change: a way closes, another opens",
        "share of the cells",
        SHARES,
        LatestOutcome,
        OPENED,
    ),
    "capacity": Kind("Too little capacity", "side of a block", (1, 2, 3, 6), MaximumLikelihood),
}

MODEL_FREE = "q_learning"
PLANNERS = {
    "uniform": "Dyna-Q",
    "prioritised_sweeping": "prioritised sweeping",
    "trajectory_sampling": "trajectory sampling",
    "dynamic_programming": "dynamic programming",
}
