"""LoCA comparison: classify all built-in agents as adaptive or not.

The criterion is in `evaluation`, the phases in `DynaMazeLoCAEnv`. By default a run has half the
steps of Wan et al. (2022); `--steps 100000 50000 50000` gives theirs. `--slip-probability 0` is the
environment of van Seijen et al. (2020).

All agents have the discount of the protocol, epsilon 0.1, a learning rate of 0.1 and, where they
have one, an initial value of 4, the largest reward (van Seijen et al. 2020), which is optimistic.
Tabular agents plan with 50 updates after each real step, those of a point with 10. Gaussian
process, deep belief network and ensemble are missing: they take milliseconds a step on the grid.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import gymnasium as gym
import numpy as np

from dynamaze.agents import PLANNERS, TABLE_MODELS, DynaQ, DynaQPlus, LinearDyna, QLearning
from dynamaze.benchmarks.harness.agent_runs.interfaces import make_agent
from dynamaze.benchmarks.harness.agent_runs.resolver import (
    named_text,
    names_agent,
    resolve_agent,
)
from dynamaze.benchmarks.harness.analysis.intervals import FEW_RUNS_NOTE, mean_interval
from dynamaze.benchmarks.harness.analysis.plots import (
    COLOURS,
    EVENT,
    legend_below,
    line_with_band,
    panels,
)
from dynamaze.benchmarks.harness.analysis.summaries import mean_text
from dynamaze.benchmarks.harness.analysis.table import (
    Lines,
    Table,
    Tables,
    by_run,
    distinct,
    from_rows,
    rows_where,
    stack_runs,
)
from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.benchmarks.harness.experiment import ExperimentConfig, Setting
from dynamaze.benchmarks.harness.running.runner import Runner
from dynamaze.benchmarks.studies.loca.evaluation import (
    AdaptationResult,
    MakeAgent,
    classify_adaptation,
    normalised_scores,
    run_agent,
)
from dynamaze.benchmarks.studies.loca.protocol import PHASES, LoCAProtocol
from dynamaze.common.optional_imports import optional_import
from dynamaze.common.options import Fraction, NonNegative, Runs, Steps
from dynamaze.common.validation import checked_choice
from dynamaze.envs.loca.tasks import GAMMA

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


COLUMNS = 4
"""Panels in a row."""

REFERENCE_LINES = {"optimum": ("--", "optimum"), "other": (":", "optimal in the other task")}
"""Reference returns of the panels: line style and label."""

ENDS = ("", "_low", "_high")
"""Ends of the columns of a mean and of its interval."""


class OwnAgent(NamedTuple):
    """Agent that is not one of the table's."""

    name: str
    factory: Any  # called as `factory(env, seed=int)`

    def make(self, env: gym.Env[Any, Any], seed: int) -> Any:
        """Make the agent of a run."""
        return make_agent(self.factory, env, seed)[0]


@dataclass(frozen=True)
class LoCAComparisonConfig(ExperimentConfig):
    """Options of both environments' comparisons; each has an option for its noise."""

    title: ClassVar[str] = "Local change adaptation"
    variant: ClassVar[str]
    env_options: ClassVar[tuple[str, ...]]
    """Options that are arguments of the environment."""
    swept: ClassVar[tuple[str, ...]] = ("slow_runs", "agents", "sb3", "near")

    runs: Runs = 10
    """Runs of each agent."""
    slow_runs: Runs = 5
    """Runs of each slow agent."""
    agents: tuple[str, ...] = ()
    """Agents: names (an unknown one lists them), all by default; or your own, or others, with
    `learn` and `predict`: module:name or path/file.py:name, "DynaQ(planning_steps=10)", PPO; also
    LABEL=AGENT."""
    sb3: bool = False
    """Include DQN of Stable-Baselines3, which takes minutes for a run."""
    evaluation_interval: Steps = 500
    """Real steps between two evaluations."""
    near: Fraction = 0.9
    """Normalised score from which an agent is near the optimum."""
    steps: tuple[Steps, Steps, Steps] = (50_000, 25_000, 25_000)
    """Real steps of the three phases."""

    @property
    def names(self) -> list[str]:
        """Names of the agents that take part."""
        if self.agents:
            return [named_text(text)[0] for text in self.agents]
        return [
            name
            for name, entry in AGENTS[self.variant].items()
            if not entry.is_optional or (self.sb3 and name == "sb3_dqn")
        ]

    @property
    def protocol(self) -> LoCAProtocol:
        """The protocol with these options.

        Raises:
            ValueError: for a number outside its range.
        """
        return LoCAProtocol(
            self.variant,
            self.steps,
            self.evaluation_interval,
            seed=self.seed,
            near=self.near,
            options={name: getattr(self, name) for name in self.env_options},
        )

    @property
    def settings(self) -> Sequence[Setting]:
        """The agents; slow ones have fewer runs."""
        entries = AGENTS[self.variant]
        texts = map(named_text, self.agents or self.names)
        return [
            Setting((name,), self.slow_runs if entries[name].is_slow else self.runs, name)
            if name in entries
            else Setting((OwnAgent(name, resolve_agent(text)),), self.runs, name)
            for name, text in texts
        ]

    @property
    def caption(self) -> str:
        """Explanation of the numbers, below the summary."""
        return (
            "normalised score (0: policy that is optimal in the other task, 1: optimum), mean of n "
            "runs and Student's 95% interval; adaptive: near the optimum in phases 1 and 2; "
            f"{FEW_RUNS_NOTE}"
        )

    def check(self) -> None:
        """Check the options before anything runs.

        Raises:
            ValueError: for fewer than 2 runs, an unknown agent, or a number outside its range.
        """
        super().check()
        for name, text in map(named_text, self.agents):
            if not names_agent(text):
                checked_choice("agents", name, sorted(AGENTS[self.variant]))
        if len({*self.names}) < len(self.names):
            raise ValueError(f"agents {', '.join(self.names)}; expected different names")
        _ = self.settings  # finds the agents
        self.protocol.make_env()


@dataclass(frozen=True)
class LoCAConfig(LoCAComparisonConfig):
    """Local change adaptation (LoCA) of agents, on the grid."""

    name: ClassVar[str] = "loca"
    variant: ClassVar[str] = "grid"
    env_options: ClassVar[tuple[str, ...]] = ("slip_probability",)

    slip_probability: Fraction = 0.25
    """Probability that an action is replaced by one of the four at random."""


@dataclass(frozen=True)
class LoCAContinuousConfig(LoCAComparisonConfig):
    """Local change adaptation (LoCA) of agents, for a point in a corridor."""

    name: ClassVar[str] = "loca_continuous"
    variant: ClassVar[str] = "continuous"
    env_options: ClassVar[tuple[str, ...]] = ("noise",)

    runs: Runs = 5
    """Runs of each agent."""
    evaluation_interval: Steps = 1000
    """Real steps between two evaluations."""
    steps: tuple[Steps, Steps, Steps] = (20_000, 10_000, 10_000)
    """Real steps of the three phases."""
    noise: NonNegative = 0.1
    """Standard deviation of the displacement's noise, in cells."""


def run(config: LoCAComparisonConfig, runner: Runner | None = None) -> Tables:
    """Run the comparison.

    Args:
        config: the settings.
        runner: runs the runs; by default one after another, in this process.

    Returns:
        A row for each agent: runs, for each phase score_1 (normalised) with `_low` and `_high`, and
        near_1 ("yes", "no", "undecided"), and adaptive; and, named `..._curves`, a row for each
        evaluation (see `evaluate_loca`), with the agent as the first column.

    Raises:
        ValueError: for fewer than 2 runs, an unknown agent, or a number outside its range.
        ImportError: for DQN without Stable-Baselines3.
    """
    config.check()
    curves = stack_runs((runner or Runner()).run(trial, config), by_number=True)
    return {config.name: summarise(curves, config), f"{config.name}_curves": curves}


def trial(config: LoCAComparisonConfig, agent: str | OwnAgent, number: int) -> Table:
    """Run one agent once."""
    name = agent.name if isinstance(agent, OwnAgent) else agent
    make: MakeAgent = (
        agent.make if isinstance(agent, OwnAgent) else AGENTS[config.variant][name].make
    )
    evaluations = run_agent(make, config.protocol, number)
    return {"agent": np.full(len(evaluations["run"]), name), **evaluations}


def summarise(curves: Table, config: LoCAComparisonConfig) -> Table:
    """Return a row for each agent, from the rows of its evaluations."""
    rows: list[dict[str, Any]] = []
    for name, result, runs in _results(curves, config):
        row: dict[str, Any] = {"agent": name, "runs": runs}
        for number, (score, near) in enumerate(zip(result.scores, result.near, strict=True), 1):
            ends = (score.mean, score.low, score.high)
            row |= {f"score_{number}{end}": value for end, value in zip(ENDS, ends, strict=True)}
            row[f"near_{number}"] = near
        rows.append({**row, "adaptive": result.adaptive})
    return from_rows(rows)


def _results(
    curves: Table, config: LoCAComparisonConfig
) -> list[tuple[str, AdaptationResult, int]]:
    """Return agent, classification and number of runs, in the order of the agents' table."""
    there = distinct(curves, "agent")
    results = []
    known = [name for name in AGENTS[config.variant] if name in there]
    for name in [*known, *(name for name in there if name not in known)]:
        own = rows_where(curves, agent=name)
        results.append(
            (name, classify_adaptation(own, config.protocol), len(np.unique(own["run"])))
        )
    return results


def summary(tables: Tables, config: LoCAComparisonConfig) -> Lines:
    """Return a line for each agent: normalised scores by phase, and whether it is adaptive."""
    phases = [
        f"{number}: task {phase.task}, from {phase.starts}"
        for number, phase in enumerate(PHASES, 1)
    ]
    lines: Lines = [("agent", "n", *phases, "adaptive")]
    curves, last = tables[f"{config.name}_curves"], config.protocol.last
    for name, result, runs in _results(curves, config):
        cells = []
        for number, near in enumerate(result.near, 1):
            scores = normalised_scores(rows_where(curves, agent=name, phase=number), last)
            cells.append(f"{mean_text(scores, 2, kind='time')} {near}")
        lines.append((name, str(runs), *cells, result.adaptive))
    return lines


# -- plot --------------------------------------------------------------------------------------


def plot(tables: Tables, config: LoCAComparisonConfig) -> Figure:
    """Return the plot: a panel for each agent with its mean return and the references."""
    curves = tables[f"{config.name}_curves"]
    results = _results(curves, config)
    lines = ceil(len(results) / COLUMNS)
    size = (3.2 * COLUMNS, 0.9 + 2.4 * lines)
    figure, grid = panels(lines, COLUMNS, size=size, sharex=True, sharey=True)
    for axes, (name, result, runs) in zip(grid.flat, results, strict=False):
        _draw(axes, rows_where(curves, agent=name), COLOURS[result.adaptive])
        axes.set_title(f"{name.replace('_', ' ')}: {result.adaptive} (n = {runs})")
    for axes in grid.flat[len(results) :]:
        axes.axis("off")
    for axes in grid[-1]:
        axes.set_xlabel("Thousands of real steps")
        axes.xaxis.set_major_formatter(lambda steps, _: f"{steps / 1000:g}")
    for axes in grid[:, 0]:
        axes.set_ylabel("Greedy return")
    grid[0, 0].set_ylim(0, 1.1 * curves["optimum"].max())
    legend_below(figure, grid[0, 0], 2)
    figure.suptitle(
        f"{config.title}: mean greedy return from everywhere, 95% interval; is it adaptive?"
    )
    return figure


def _draw(axes: Axes, evaluations: Table, colour: str) -> None:
    steps = np.unique(evaluations["step"])
    returns = mean_interval(by_run(evaluations, "discounted_return"))
    line_with_band(axes, steps, returns, color=colour, linewidth=1.2)
    begin, first = 0, rows_where(evaluations, run=evaluations["run"].min())
    for number in np.unique(evaluations["phase"]):
        own = rows_where(first, phase=number)
        end = own["step"][-1]
        for name, (line, label) in REFERENCE_LINES.items():
            shown = label if begin == 0 else ""  # once in the legend
            axes.plot([begin, end], own[name][[0, 0]], f"k{line}", linewidth=1, label=shown)
        axes.axvline(end, **EVENT)
        begin = end
    axes.tick_params(labelsize=8)


# -- agents ------------------------------------------------------------------------------------

GRID_STEPS, POINT_STEPS = 50, 10

SHARED: dict[str, Any] = {"gamma": GAMMA, "epsilon": 0.1, "learning_rate": 0.1}
OPTIMISTIC: dict[str, Any] = {**SHARED, "initial_value": 4.0}
# Q-learning on the grid: with 0.1 it has not learned task A after 50,000 steps, with 0.2 nearly,
# and after 100,000 it has.
QUICK: dict[str, Any] = {**OPTIMISTIC, "learning_rate": 0.2}
TILED: dict[str, Any] = {**OPTIMISTIC, "values": "tile_coding"}


class LoCAAgent(NamedTuple):
    """An agent of the comparison."""

    make: Callable[[Any, int], Any]  # called with the environment and a seed
    is_slow: bool = False  # it has fewer runs
    is_optional: bool = False  # only included if named


def _dyna(model: str) -> Callable[[Any, int], Any]:
    return lambda env, seed: DynaQ(
        env, model=model, planning_steps=GRID_STEPS, seed=seed, **OPTIMISTIC
    )


def _planned(planning: str) -> Callable[[Any, int], Any]:
    """Return a function that makes Dyna-Q with a maximum-likelihood model and a planner."""
    return lambda env, seed: DynaQ(
        env,
        model="maximum_likelihood",
        planning=planning,
        planning_steps=GRID_STEPS,
        seed=seed,
        **OPTIMISTIC,
    )


def _tiled(model: str) -> Callable[[Any, int], Any]:
    return lambda env, seed: DynaQ(env, model=model, planning_steps=POINT_STEPS, seed=seed, **TILED)


def _linear_dyna(sweep: str, steps: int) -> Callable[[Any, int], Any]:
    return lambda env, seed: LinearDyna(env, sweep=sweep, planning_steps=steps, seed=seed, **SHARED)


def _dqn(env: Any, seed: int) -> Any:
    """Return DQN of Stable-Baselines3, with the exploration of the other agents."""
    sb3: Any = optional_import("stable_baselines3", extra="distill", purpose="DQN in this table")
    return sb3.DQN(
        "MlpPolicy",
        env,
        gamma=GAMMA,
        learning_rate=1e-3,
        learning_starts=500,
        buffer_size=50_000,
        target_update_interval=200,
        exploration_initial_eps=0.1,
        exploration_final_eps=0.1,
        seed=seed,
        device="cpu",
    )


GRID_AGENTS: dict[str, LoCAAgent] = {
    "q_learning": LoCAAgent(lambda env, seed: QLearning(env, seed=seed, **QUICK)),
    **{model: LoCAAgent(_dyna(model)) for model in TABLE_MODELS},
    **{planning: LoCAAgent(_planned(planning)) for planning in PLANNERS if planning != "uniform"},
    "dyna_q_plus": LoCAAgent(
        lambda env, seed: DynaQPlus(env, planning_steps=GRID_STEPS, seed=seed, **OPTIMISTIC)
    ),
    "linear": LoCAAgent(_dyna("linear"), is_slow=True),
    "recursive_linear": LoCAAgent(_dyna("recursive_linear"), is_slow=True, is_optional=True),
    "bayesian_linear": LoCAAgent(_dyna("bayesian_linear"), is_slow=True, is_optional=True),
    "linear_dyna_random": LoCAAgent(_linear_dyna("random", GRID_STEPS), is_slow=True),
    "linear_dyna_pwma": LoCAAgent(_linear_dyna("pwma", GRID_STEPS), is_slow=True),
    "linear_dyna_mg": LoCAAgent(_linear_dyna("mg", GRID_STEPS), is_slow=True),
    "sb3_dqn": LoCAAgent(_dqn, is_slow=True, is_optional=True),
}
"""Dyna-Q by the name of its model, or of its planner with the maximum-likelihood model (with
"uniform" it is "maximum_likelihood"), and the others by their own."""

POINT_AGENTS: dict[str, LoCAAgent] = {
    "q_learning": LoCAAgent(lambda env, seed: QLearning(env, seed=seed, **TILED)),
    "stored_experience": LoCAAgent(_tiled("stored_experience")),
    "linear": LoCAAgent(_tiled("linear")),
    "bayesian_linear": LoCAAgent(_tiled("bayesian_linear")),
    "linear_dyna": LoCAAgent(_linear_dyna("seen", POINT_STEPS)),
    "sb3_dqn": LoCAAgent(_dqn, is_slow=True, is_optional=True),
}
"""Agents with linear values in tile coding, and DQN."""

AGENTS = {"grid": GRID_AGENTS, "continuous": POINT_AGENTS}


if __name__ == "__main__":
    run_script(__file__)
