"""Bayes-optimal return of adaptation in the smallest mazes, by exact search over beliefs.

How far are the agents from the best that any agent could do? In 3 x 3 mazes and short runs of
`DynaMazeAdaptation-v0` it can be computed: the largest expected return of an agent that knows the
distribution of mazes, goals and changes, but observes only its cell and its rewards.

The prior is that of the environment, enumerated by its own code:

1. All four perfect mazes of size 3 have equal probabilities (Wilson's algorithm; 15% of one inner
   wall is none). The start is any of the 7 free cells, the goal any of those that are at least
   half as far away as the farthest.
2. The change comes after a step drawn from the middle half of the run. In these mazes no cell can
   be closed and no four walls can move, so the goal moves, or a shortcut opens where one can.

A belief is a distribution over mazes, goals and whether the change has come; the value of a belief
with some steps left is the largest expected return (Kaelbling, Littman & Cassandra 1998, section
3). Equal beliefs are searched once; their probabilities are rounded to 1e-10. The number of beliefs
grows sevenfold with two more steps: 10 steps take ten seconds, 12 a minute.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple

import numpy as np

from dynamaze.benchmarks.adaptation import in_context
from dynamaze.benchmarks.adaptation.agents import AGENTS
from dynamaze.benchmarks.adaptation.in_context import AgentName, InContextConfig
from dynamaze.benchmarks.harness.analysis.intervals import mean_interval
from dynamaze.benchmarks.harness.analysis.plots import BLACK, REFERENCE, panels, points_with_bars
from dynamaze.benchmarks.harness.analysis.summaries import mean_text
from dynamaze.benchmarks.harness.analysis.table import (
    Lines,
    Table,
    Tables,
    distinct,
    make_table,
    rows_where,
    stack,
)
from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.benchmarks.harness.experiment import ExperimentConfig, Setting
from dynamaze.benchmarks.harness.running.runner import Runner
from dynamaze.common.options import Range, Runs
from dynamaze.envs import DynaMazeAdaptationEnv, Layout, MazeGenerator
from dynamaze.envs.generation.generator import random_endpoints
from dynamaze.envs.mazes.dynamics import NUM_ACTIONS, Dynamics

if TYPE_CHECKING:
    from matplotlib.figure import Figure


SIZE = 3
BAYES = "bayes"
DIGITS = 10
"""Digits of the probabilities of a belief."""

GRID = 60
"""Numbers in the middle of so many equal parts of [0, 1): they draw each of up to 5 equally likely
outcomes equally often, and up to 6."""

START_CLASSES = {(0, 0): 4 / 7, (0, 1): 3 / 7}
"""Starts and their probabilities: by symmetry all four corners are alike, and so are the three free
cells between two of them."""


class Hidden(NamedTuple):
    """What the agent does not see."""

    walls: tuple[bool, ...]  # of the 9 cells
    goal: int
    changed: bool


Belief = tuple[tuple[Hidden, float], ...]
"""Possible states, in order, and their probabilities."""


def belief_of(weights: dict[Hidden, float]) -> Belief:
    """Return the belief of weights that need not sum to 1."""
    total = sum(weights.values())
    return tuple(sorted((hidden, round(one / total, DIGITS)) for hidden, one in weights.items()))


class BeliefSearch:
    """Search for the Bayes-optimal return of runs from one start.

    Args:
        start: cell (row, col).
        steps: of a run.
    """

    def __init__(self, start: tuple[int, int], steps: int) -> None:
        env = DynaMazeAdaptationEnv(SIZE, run_steps=steps)
        process: Any = env.maze_config.random_changes
        self._process, self._steps = process, steps
        self._change_steps = process.earliest, process.latest
        self._start = start[0] * SIZE + start[1]
        self._cell = start
        self._values: dict[tuple[int, int, Belief], float] = {}
        self._changes = cache(self._enumerate_changes)
        self._moves = cache(self._next_states)

    def optimal_return(self) -> float:
        """Return the largest expected return of a run."""
        return self._value(0, self._start, belief_of(prior(self._cell)))

    def _value(self, step: int, cell: int, belief: Belief) -> float:
        """Return the largest expected return from a belief on, after some steps."""
        if step == self._steps:
            return 0.0
        key = step, cell, belief
        if key not in self._values:
            self._values[key] = max(
                sum(
                    weight * (reward + self._value(step + 1, there, after))
                    for weight, there, reward, after in self._outcomes(step, cell, belief, action)
                )
                for action in range(NUM_ACTIONS)
            )
        return self._values[key]

    def _outcomes(
        self, step: int, cell: int, belief: Belief, action: int
    ) -> Iterator[tuple[float, int, float, Belief]]:
        """Yield the probability, next cell, reward and next belief of each observation."""
        observed: dict[tuple[int, bool], dict[Hidden, float]] = defaultdict(dict)
        for hidden, weight in belief:
            there = self._moves(hidden)[cell][action]
            group = observed[there, there == hidden.goal]
            for after, share in self._successors(step + 1, hidden, there):
                group[after] = group.get(after, 0.0) + weight * share
        for (there, ends), weights in observed.items():
            total = sum(weights.values())
            yield total, self._start if ends else there, float(ends), belief_of(weights)

    def _successors(self, step: int, hidden: Hidden, agent: int) -> Iterator[tuple[Hidden, float]]:
        """Yield the states after a world step with their probabilities."""
        earliest, latest = self._change_steps
        # the change is due at each of the remaining steps with equal probabilities
        hazard = 1 / (latest - step + 1) if earliest <= step <= latest else 0.0
        if hidden.changed or not hazard:
            yield hidden, 1.0
            return
        if hazard < 1:
            yield hidden, 1 - hazard
        for changed, share in self._changes(hidden, agent):
            yield changed, hazard * share

    def _enumerate_changes(self, hidden: Hidden, agent: int) -> list[tuple[Hidden, float]]:
        """Return the states after a change and their probabilities."""
        layout = self._layout(hidden)
        kinds = len(self._process.what)
        shares: dict[Hidden, float] = defaultdict(float)
        for kind, place in product(range(kinds), range(GRID)):
            draws = iter([(kind + 0.5) / kinds, (place + 0.5) / GRID])
            changed = self._process.apply(layout, divmod(agent, SIZE), draws.__next__)
            after = layout if changed is None else changed
            shares[hidden_of(after, changed=True)] += 1 / (kinds * GRID)
        return list(shares.items())

    def _layout(self, hidden: Hidden) -> Layout:
        walls = np.array(hidden.walls).reshape(SIZE, SIZE)
        return Layout(walls, (self._cell,), (divmod(hidden.goal, SIZE),))

    def _next_states(self, hidden: Hidden) -> list[list[int]]:
        return Dynamics(self._layout(hidden)).moves.next_state.tolist()  # type: ignore[no-any-return]


def hidden_of(layout: Layout, *, changed: bool) -> Hidden:
    """Return the state of a layout."""
    return Hidden(tuple(layout.walls.ravel().tolist()), layout.index(layout.goals[0]), changed)


class ScriptedDraws:
    """Random numbers of endpoints that are given in advance."""

    def __init__(self, *numbers: float) -> None:
        self._numbers = numbers

    def uniforms(self) -> Iterator[float]:
        """Yield the numbers."""
        return iter(self._numbers)


@cache
def perfect_mazes() -> tuple[Any, ...]:
    """Return the walls of the four perfect mazes of size 3, (3, 3) bool each."""
    generator = MazeGenerator(SIZE, "wilson")
    found = {
        generator.make(level).walls.tobytes(): generator.make(level).walls for level in range(64)
    }
    return tuple(found[key] for key in sorted(found))


def prior(start: tuple[int, int]) -> dict[Hidden, float]:
    """Return the states before a run from a start and their weights."""
    weights: dict[Hidden, float] = defaultdict(float)
    free = SIZE**2 - 2
    for walls, first, second in product(perfect_mazes(), range(free), range(GRID)):
        rng: Any = ScriptedDraws((first + 0.5) / free, (second + 0.5) / GRID)
        place, goal = random_endpoints(walls, rng)
        if place == start:
            weights[hidden_of(Layout(walls, (start,), (goal,)), changed=False)] += 1.0
    return weights


@dataclass(frozen=True)
class BayesConfig(ExperimentConfig):
    """Bayes-optimal return of adaptation in 3 x 3 mazes, beside that of agents."""

    name: ClassVar[str] = "adaptation_bayes"
    title: ClassVar[str] = "Adaptation in 3 x 3 mazes"
    interval_kind: ClassVar[str] = in_context.KIND
    swept: ClassVar[tuple[str, ...]] = ("agents",)

    runs: Runs = 2000
    """Runs of each agent, each in the maze of its own level."""
    steps: Annotated[int, Range(4, limit=14)] = 10
    """World steps of a run; each two more take seven times as long."""
    agents: tuple[AgentName, ...] = ("random", "expert", "oracle")
    """The agents."""

    @property
    def settings(self) -> Sequence[Setting]:
        """The exact search, once, and the agents."""
        agents = [Setting((agent,), self.runs, AGENTS[agent].label) for agent in self.agents]
        return [Setting((BAYES,), 1, "Bayes-optimal"), *agents]

    @property
    def caption(self) -> str:
        """Explanation of the numbers, below the summary."""
        return f"{super().caption}; the Bayes-optimal return is exact"


def run(config: BayesConfig, runner: Runner | None = None) -> Tables:
    """Search for the Bayes-optimal return, and run the agents.

    Args:
        config: the settings.
        runner: runs the runs; by default one after another, in this process.

    Returns:
        One table: agent, run and reward, the return of a run; of "bayes" the exact expectation.
    """
    config.check()
    results = (runner or Runner()).run(trial, config)
    rows = [
        make_table(agent=setting.arguments[0], run=number, reward=table["reward"])
        for setting, tables in zip(config.settings, results, strict=True)
        for number, table in enumerate(tables)
    ]
    return {config.name: stack(rows)}


def trial(config: BayesConfig, agent: str, number: int) -> Table:
    """Search for the Bayes-optimal return, or run one agent once."""
    if agent == BAYES:
        return {"reward": np.array([bayes_optimal_return(config.steps)])}
    settings = InContextConfig(steps=config.steps, seed=config.seed)
    rewards = in_context.trial(settings, SIZE, agent, number)["reward"]
    return {"reward": np.array([rewards.sum()], dtype=np.float64)}


def bayes_optimal_return(steps: int) -> float:
    """Return the largest expected return of a run of some steps in a random 3 x 3 maze."""
    return sum(
        share * BeliefSearch(start, steps).optimal_return()
        for start, share in START_CLASSES.items()
    )


# -- plot and summary --------------------------------------------------------------------------


def plot(tables: Tables, config: BayesConfig) -> Figure:
    """Plot the mean return of each agent, and the Bayes-optimal one as a line."""
    table = tables[config.name]
    agents = [agent for agent in distinct(table, "agent") if agent != BAYES]
    figure, ((axes,),) = panels()
    axes.axvline(
        rows_where(table, agent=BAYES)["reward"].item(), label="Bayes-optimal", **REFERENCE
    )
    for place, agent in enumerate(agents):
        interval = mean_interval(rows_where(table, agent=agent)["reward"])
        points_with_bars(axes, place, interval, horizontal=True, marker="o", color=BLACK)
    axes.set_yticks(range(len(agents)), labels=[AGENTS[agent].label for agent in agents])
    axes.set(xlabel="Return of a run", xlim=(0, None), title=f"{config.title}: 95% interval")
    axes.legend()
    return figure


def summary(tables: Tables, config: BayesConfig) -> Lines:
    """Return a line for each agent: its return, and its share of the Bayes-optimal one."""
    table = tables[config.name]
    best = rows_where(table, agent=BAYES)["reward"].item()
    lines: Lines = [("agent", "n", "return", "of Bayes-optimal")]
    for agent in distinct(table, "agent"):
        if agent == BAYES:
            lines.append(("Bayes-optimal", "", f"{best:.4f} (exact)", "1"))
            continue
        rewards = rows_where(table, agent=agent)["reward"]
        texts = (mean_text(each, 2, kind=in_context.KIND) for each in (rewards, rewards / best))
        lines.append((AGENTS[agent].label, f"{len(rewards):,}", *texts))
    return lines


if __name__ == "__main__":
    run_script(__file__)
