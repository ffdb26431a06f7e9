"""Planning with a corrupted model: return against model error.

The maze is that of example 8.1. Models are corrupted in four ways, each with a level
(`corrupted_model`):

1. Noise: a fraction of the pairs lead to a random cell.
2. A path closes, and a fraction of the cells are as before the change.
3. A path closes and a shorter one opens, and a fraction of the cells are as before.
4. Too little capacity: the cells of a square block share one memory.

The baseline is Q-learning. Each planner runs with the corrupted model as it is, and selectively:
with the same model in a `ScoredModel` with a count-based check, where pairs that it predicts badly
are excluded from planning and learned from real transitions alone. All have the same settings and
seeds, and optimistic initial values: everything is tried, and no result depends on finding the goal
by chance. The return is that of all steps, or of those after the change; it is compared with
Q-learning's as a paired difference. A model's error is measured against the environment at the end
of a run. Without a change it is 0 at level 0. A model that was exact before a change is wrong at
pairs that were not visited since.

Results of `dynamaze bench run model-error` with the default settings (100 runs, seed 0; it prints
the intervals):

1. Which pairs are wrong, and how well the model is solved, matters more than the mean error. With
   noise in 5% of the pairs Dyna-Q earns 53% less than Q-learning, and better planners 87% to 94%
   less. Where a path has closed, an error of 0.03 leaves Dyna-Q a third and the others nothing.
2. Selectively, all four planners are better than Q-learning wherever a path closes, with noise and
   with too little capacity: by 10% to 24% with noise in up to half of the pairs, by 10% to 13%
   where a change is missed, and by 1% to 5% where a model hardly distinguishes cells (an error of
   0.94 and 0.83). With an exact model they are as good as without the selection.
3. Where a shorter path opens, selective dynamic programming is worse than model-free, by 3% to 5%,
   and at level 0 as well (plain it is not). It lacks exploration: fewer of its runs take the new
   path. Exploration bonuses help (`model_confidence`). The other three are not worse than
   model-free here either.
4. Without the count-based check selective planning fails where cells share a memory: such a model
   is uncertain there, so real transitions do not contradict it.

Prioritised sweeping learns predecessors from real transitions alone, so noise affects it by the
pairs' own updates and is not propagated backwards. Decision-time planning is left out: it is too
slow for so many runs (`background_or_decision`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple

import gymnasium as gym
import numpy as np

from dynamaze.agents import (
    Agent,
    DynamicProgramming,
    DynaQ,
    QLearning,
    ScoredModel,
)
from dynamaze.benchmarks.harness.agent_runs.compiled_runs import run_one
from dynamaze.benchmarks.harness.analysis.intervals import FEW_RUNS_NOTE, IntervalEstimate
from dynamaze.benchmarks.harness.analysis.plots import (
    EVENT,
    GREY,
    METHODS,
    legend_below,
    line_with_band,
    panels,
)
from dynamaze.benchmarks.harness.analysis.summaries import count_text, mean_text
from dynamaze.benchmarks.harness.analysis.table import (
    Lines,
    Table,
    Tables,
    distinct,
    from_rows,
    make_table,
    rows_where,
    stack,
    stack_runs,
)
from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.benchmarks.harness.curves import interval_of, mean_columns
from dynamaze.benchmarks.harness.experiment import AgentConfig, Setting
from dynamaze.benchmarks.harness.running.runner import Runner
from dynamaze.benchmarks.studies.corrupted_model import (
    KINDS,
    CorruptedModel,
    CorruptionKind,
    block_representatives,
    random_corruption,
    stale_corruption,
    total_variation_error,
)
from dynamaze.common.arrays import FloatArray
from dynamaze.common.options import PlanningSteps, PositiveFraction, Range, Runs
from dynamaze.common.validation import checked_choice
from dynamaze.envs import PRESETS, GridEnv

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


MODEL_FREE = "q_learning"
PLANNERS = ("uniform", "prioritised_sweeping", "trajectory_sampling", "dynamic_programming")

AGENT_STREAM, CORRUPTION_STREAM = 0, 1
"""Streams of random numbers of each run."""
TOLERANCE = 1e-4
"""Tolerance of dynamic programming; a model of merged cells changes a little at each step."""


@dataclass(frozen=True)
class ModelErrorConfig(AgentConfig):
    """Planning with a corrupted model: return against model error, plain and selective."""

    name: ClassVar[str] = "model_error"
    title: ClassVar[str] = "Planning with a corrupted model"
    swept: ClassVar[tuple[str, ...]] = ("kinds",)

    runs: Runs = 100
    """Runs of each agent with each model."""
    steps: Annotated[int, Range(2, limit=10**8)] = 12_000
    """Real steps of each run; a change comes after half of them."""
    planning_steps: PlanningSteps = 10
    """Updates after each real step; dynamic programming updates until convergence."""
    learning_rate: PositiveFraction = 0.5
    """Step size alpha."""
    initial_value: Annotated[float, Range()] = 1.0
    """Initial values: the largest possible return."""
    pair_rate: PositiveFraction = 0.3
    """Step size of the averages by which a selective planner scores a pair."""
    kinds: tuple[Literal["noise", "closed", "opened", "capacity"], ...] = (
        "noise",
        "closed",
        "opened",
        "capacity",
    )
    """Kinds of corruption: noise, a path closed, a path closed and another opened, merged cells."""

    @property
    def settings(self) -> Sequence[Setting]:
        """Kinds of corruption; each run of one has all agents."""
        return [Setting((kind,), self.runs) for kind in self.kinds]

    @property
    def caption(self) -> str:
        """Explanation of the numbers, below the summary."""
        return (
            "mean of n runs, Student's 95% interval; paired gain over Q-learning, in %; "
            f"{FEW_RUNS_NOTE}"
        )

    def check(self) -> None:
        """Check the options before anything runs.

        Raises:
            ValueError: for fewer than 2 runs or an unknown kind.
        """
        super().check()
        for kind in self.kinds:
            checked_choice("kinds", kind, KINDS)


class PlannerSetting(NamedTuple):
    """A planner, the level of its model's corruption, and whether it plans selectively."""

    level: float
    planner: str
    selective: bool

    def columns(self) -> dict[str, Any]:
        """Return the columns of the stored tables."""
        return {**self._asdict(), "selective": int(self.selective)}


def planner_settings(kind: CorruptionKind) -> Iterator[PlannerSetting]:
    """Yield the settings of all agents, Q-learning first."""
    yield PlannerSetting(0.0, MODEL_FREE, False)
    for planner in PLANNERS:
        for selective in (False, True):
            yield from (PlannerSetting(level, planner, selective) for level in kind.levels)


def run(config: ModelErrorConfig, runner: Runner | None = None) -> Tables:
    """Run all agents with all models.

    Args:
        config: the settings.
        runner: runs the runs; by default one after another, in this process.

    Returns:
        `model_error`, with the columns kind, level, planner, selective (1 or 0), error_... (of the
        model), reward_... (per step), gain_... (paired difference in reward from Q-learning), each
        ..._mean, ..._low and ..._high (a 95% interval), worse_than_model_free (1 where the gain's
        interval is below 0) and runs; `model_error_runs`, the single runs: kind, level, planner,
        selective, run, error and reward.

    Raises:
        ValueError: for fewer than 2 runs or an unknown kind.
    """
    config.check()
    runs = stack_runs((runner or Runner()).run(trial, config))
    return {config.name: summarise(runs), f"{config.name}_runs": runs}


def trial(config: ModelErrorConfig, kind: str, number: int) -> Table:
    """Return a row for each agent, all with the same seed."""
    rows = []
    for setting in planner_settings(KINDS[kind]):
        error, reward = run_setting(config, KINDS[kind], setting, number)
        rows.append(
            {"kind": kind, **setting.columns(), "run": number, "error": error, "reward": reward}
        )
    return from_rows(rows)


def run_setting(
    config: ModelErrorConfig, kind: CorruptionKind, setting: PlannerSetting, number: int
) -> tuple[float, float]:
    """Return the model's final error, and the reward per step since the model became wrong."""
    agent, model = make_agent(config, kind, setting, number)
    rewards = run_one(agent, config.steps, 0).rewards
    change = 0 if kind.changed_layout is None else config.steps // 2
    error = (
        0.0
        if model is None
        else total_variation_error(model, make_env(kind, config.steps).phase_mdp(-1))
    )
    return error, float(rewards[change:].mean())


def make_agent(
    config: ModelErrorConfig, kind: CorruptionKind, setting: PlannerSetting, number: int
) -> tuple[Agent, CorruptedModel | None]:
    """Return an agent, and its corrupted model if it has one."""
    maze = make_env(kind, config.steps)
    common: dict[str, Any] = {
        **config.learning,
        "initial_value": config.initial_value,
        "seed": np.random.SeedSequence(config.seed, spawn_key=(AGENT_STREAM, number)),
    }
    if setting.planner == MODEL_FREE:
        return QLearning(maze, **common), None
    stream = np.random.SeedSequence(config.seed, spawn_key=(CORRUPTION_STREAM, number))
    model = make_model(kind, setting.level, maze, np.random.Generator(np.random.SFC64(stream)))
    is_dynamic_programming = setting.planner == "dynamic_programming"
    agent = DynaQ(
        maze,
        model=ScoredModel(model, pair_rate=config.pair_rate, count_check=True)
        if setting.selective
        else model,
        planning=DynamicProgramming(tolerance=TOLERANCE)
        if is_dynamic_programming
        else setting.planner,
        planning_steps=config.planning_steps,
        **common,
    )
    return agent, model


def make_model(
    kind: CorruptionKind, level: float, maze: GridEnv, rng: np.random.Generator
) -> CorruptedModel:
    """Return a new model with a kind and level of corruption."""
    first = maze.phase_mdp(0)
    inside = kind.model_type(*first.next_state.shape[:2])
    if kind.changed_layout is not None:
        return CorruptedModel(inside, corruption=stale_corruption(first, level, rng))
    if kind is KINDS["noise"]:
        return CorruptedModel(inside, corruption=random_corruption(first, level, rng))
    rows, columns = maze.layout.walls.shape
    return CorruptedModel(inside, representatives=block_representatives(rows, columns, int(level)))


@cache
def make_env(kind: CorruptionKind, steps: int) -> GridEnv:
    """Return a kind's maze, which changes after half of the steps."""
    layout = PRESETS["dyna"]
    if kind.changed_layout is not None:
        layout += f"@ {steps // 2}\n{kind.changed_layout}"
    maze: Any = gym.make("DynaMaze-v0", layout=layout).unwrapped
    return maze  # type: ignore[no-any-return]


def summarise(runs: Table) -> Table:
    """Return the means over the runs (see `run`)."""
    tables = []
    for kind in distinct(runs, "kind"):
        mine = rows_where(runs, kind=kind)
        free = rows_where(mine, planner=MODEL_FREE)["reward"]
        for setting in planner_settings(KINDS[kind]):
            own = rows_where(mine, **setting.columns())
            columns = mean_columns(
                error=own["error"], reward=own["reward"], gain=own["reward"] - free
            )
            tables.append(
                make_table(
                    kind=kind,
                    **setting.columns(),
                    **columns,
                    worse_than_model_free=int(columns["gain_high"] < 0),
                    runs=free.size,
                )
            )
    return stack(tables)


# -- plot and summary --------------------------------------------------------------------------


def summary(tables: Tables, config: ModelErrorConfig) -> dict[str, Lines]:
    """Return sections by corruption: for each planner and level the error and the paired gain."""
    table, runs = tables[config.name], tables[f"{config.name}_runs"]
    sections: dict[str, Lines] = {}
    for kind in distinct(table, "kind"):
        mine, own_runs = rows_where(table, kind=kind), rows_where(runs, kind=kind)
        heading = ("planner", KINDS[kind].level_name, "n", "error", "gain", "", "selective", "")
        lines: Lines = [heading]
        for planner in PLANNERS:
            own, label = rows_where(mine, planner=planner), METHODS[planner].label
            plain, selective = (rows_where(own, selective=which) for which in (0, 1))
            for row, level in enumerate(plain["level"]):
                texts = [
                    text
                    for which, each in enumerate((plain, selective))
                    for text in (
                        mean_text(relative_gains(own_runs, planner, level, which), 0, kind="time"),
                        worse_text(each, row),
                    )
                ]
                error = f"{plain['error_mean'][row]:.3f}"
                name, count = label if row == 0 else "", str(plain["runs"][row])
                lines.append((name, f"{level:g}", count, error, *texts))
        sections[KINDS[kind].title] = lines
    return sections


def relative_gains(runs: Table, planner: str, level: float, selective: int) -> FloatArray:
    """Return (runs,) the paired gains over Q-learning in percent of its mean reward."""
    free = rows_where(runs, planner=MODEL_FREE)["reward"]
    own = rows_where(runs, planner=planner, level=level, selective=selective)["reward"]
    gains: FloatArray = 100 * (own - free) / free.mean()
    return gains


def worse_text(table: Table, row: int) -> str:
    """Return the remark beside a gain."""
    return "worse" if table["worse_than_model_free"][row] else ""


def relative_to_model_free(table: Table) -> Table:
    """Return the table with rewards and gains in percent of Q-learning's reward."""
    scaled = dict(table)
    unit = np.empty(table["reward_mean"].size)
    for kind in distinct(table, "kind"):
        mine = table["kind"] == kind
        unit[mine] = table["reward_mean"][mine & (table["planner"] == MODEL_FREE)] / 100
    for name in table:
        if name.startswith(("reward_", "gain_")):
            scaled[name] = table[name] / unit
    return scaled


def plot(tables: Tables, config: ModelErrorConfig) -> Figure:
    """Return the plot: return against model error, a panel for each kind of corruption."""
    table = relative_to_model_free(tables[config.name])
    kinds = distinct(table, "kind")
    rows = (len(kinds) + 1) // 2
    figure, grid = panels(rows, 2, size=(11, 0.8 + 3.8 * rows))
    for axes, kind in zip(grid.flat, kinds, strict=False):
        _draw(axes, rows_where(table, kind=kind))
        axes.set_title(KINDS[kind].title)
    for axes in grid.flat[len(kinds) :]:
        axes.set_axis_off()
    for axes in grid[:, 0]:
        axes.set_ylabel("Return, % of Q-learning's")
    legend_below(figure, grid[0, 0], 3)
    figure.suptitle(
        f"{config.title}: {count_text(table['runs'])} of each agent, "
        "95% interval of the paired difference from Q-learning"
    )
    return figure


def _draw(axes: Axes, table: Table) -> None:
    free = rows_where(table, planner=MODEL_FREE)
    axes.axhspan(free["reward_low"][0], free["reward_high"][0], color=GREY, alpha=0.4)
    axes.axhline(100, **EVENT, label="Q-learning")
    for planner in PLANNERS:
        label, colour, marker = METHODS[planner]
        for selective, style in ((0, "-"), (1, "--")):
            own = rows_where(table, planner=planner, selective=selective)
            order = np.argsort(own["error_mean"])
            line_with_band(
                axes,
                own["error_mean"][order],
                IntervalEstimate(*(100 + part[order] for part in interval_of(own, "gain"))),
                color=colour,
                linestyle=style,
                marker=marker,
                markersize=4,
                label=f"{label}, selective" if selective else label,
            )
    axes.set(xlabel="Model error", ylim=(0, None))


if __name__ == "__main__":
    run_script(__file__)
