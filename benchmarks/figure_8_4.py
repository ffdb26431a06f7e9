"""Figure 8.4 of Sutton & Barto (2018): the blocking maze.

The book gives neither alpha nor n nor kappa. Differences from it:

1. 1000 runs for each curve, with 95% intervals: plain Dyna-Q either recovers at
   once or not at all, so that a few runs prove nothing; the histogram shows it.
2. The maze changes at exactly step 1000, in the middle of an episode.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

from matplotlib.figure import Figure

from .changing_maze import (
    ChangingMaze,
    plot_changing_maze,
    run_changing_maze,
    summarise_changing_maze,
)
from .table import Table

NAME = "figure_8_4"


@dataclass(frozen=True)
class Config:
    """Figure 8.4 (section 8.3, p. 166): the blocking maze."""

    runs: int = 1000
    """Runs of each agent."""
    seed: int = 0
    """Settles every number."""
    steps: int = 3000
    """Real steps of each run."""
    learning_rate: float = 1.0
    """Step size alpha; 1 is right in a deterministic world."""
    gamma: float = 0.95
    """Discount."""
    epsilon: float = 0.1
    """Probability of an action at random."""
    planning_steps: int = 10
    """Simulated updates n after each real step."""
    kappa: float = 1e-4
    """Weight of Dyna-Q+'s bonus."""

    @property
    def total_runs(self) -> int:
        """Runs of both agents together."""
        return 2 * self.runs

    @property
    def maze(self) -> ChangingMaze:
        """The experiment."""
        return ChangingMaze(
            name=NAME, title="Blocking maze", env="DynaMazeBlocking-v0", **asdict(self)
        )


def run(config: Config, on_run: Callable[[], None] | None = None) -> dict[str, Table]:
    """Run both agents; see `changing_maze.run_changing_maze` for the tables' columns."""
    return run_changing_maze(config.maze, on_run)


def plot(tables: dict[str, Table], config: Config) -> Figure:
    """The picture, from the stored tables."""
    return plot_changing_maze(tables, config.maze)


def summary(tables: dict[str, Table]) -> list[tuple[str, ...]]:
    """A line for each agent."""
    return summarise_changing_maze(tables, NAME)
