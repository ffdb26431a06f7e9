"""Figure 8.4 of Sutton & Barto (2018): the blocking maze.

The book gives neither alpha nor n nor kappa. Differences from it:

1. 1000 runs for each curve, with 95% intervals: plain Dyna-Q either recovers at
   once or not at all, so that a few runs prove nothing; the histogram shows it.
2. The maze changes at exactly step 1000, in the middle of an episode.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .figures_8_4_and_8_5 import ChangingMaze, plot, run, summary

__all__ = ["Config", "plot", "run", "summary"]


@dataclass(frozen=True)
class Config(ChangingMaze):
    """Figure 8.4 (section 8.3, p. 166): the blocking maze."""

    name: ClassVar[str] = "figure_8_4"
    title: ClassVar[str] = "Blocking maze"
    env: ClassVar[str] = "DynaMazeBlocking-v0"

    steps: int = 3000
    planning_steps: int = 10
    kappa: float = 1e-4
