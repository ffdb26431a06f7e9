"""Figure 8.5 of Sutton & Barto (2018): the shortcut maze.

The book gives neither alpha nor n nor kappa. Differences from it:

1. 1000 runs for each curve, with 95% intervals.
2. The maze changes at exactly step 3000, in the middle of an episode.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .figures_8_4_and_8_5 import ChangingMaze, plot, run, summary

__all__ = ["Config", "plot", "run", "summary"]


@dataclass(frozen=True)
class Config(ChangingMaze):
    """Figure 8.5 (section 8.3, p. 167): the shortcut maze."""

    name: ClassVar[str] = "figure_8_5"
    title: ClassVar[str] = "Shortcut maze"
    env: ClassVar[str] = "DynaMazeShortcut-v0"

    steps: int = 6000
    planning_steps: int = 50
    kappa: float = 1e-3
