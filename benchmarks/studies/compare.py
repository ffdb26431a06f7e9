"""Comparison of any agents in any environments: reward, exact regret and recovery after changes.

`dynamaze.benchmarks.benchmark` is the same from Python, for agents and environments as objects.

Recovery after a change is the first step after it from which the mean reward of a window of
`recovery_window` steps is at least `recovery_fraction` of the best possible rate of the new phase
(`phases_of`). It is censored, and infinite in the table, where no window before the end of the
phase is good enough.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from dynamaze.benchmarks.harness.agent_runs.exact_regret import Phase, phases_of
from dynamaze.benchmarks.harness.agent_runs.recorder import Budget
from dynamaze.benchmarks.harness.agent_runs.resolver import (
    StoredAgent,
    named_text,
    resolve_agent,
    resolve_env,
)
from dynamaze.benchmarks.harness.agent_runs.step_runs import COMPILED, run_agent, run_kind
from dynamaze.benchmarks.harness.analysis.intervals import (
    FEW_RUNS_NOTE,
    IntervalEstimate,
    few_runs,
    format_interval,
    mean_interval,
)
from dynamaze.benchmarks.harness.analysis.plots import (
    EVENT,
    curve_styles,
    legend_below,
    line_with_band,
    panels,
)
from dynamaze.benchmarks.harness.analysis.statistics import (
    censored_at,
    fraction_recovered,
    restricted_mean,
)
from dynamaze.benchmarks.harness.analysis.table import (
    Lines,
    Table,
    Tables,
    distinct,
    from_rows,
    make_table,
    rows_where,
    stack,
)
from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.benchmarks.harness.curves import interval_columns, interval_of
from dynamaze.benchmarks.harness.experiment import ExperimentConfig
from dynamaze.benchmarks.harness.running.executors import MakeExecutor
from dynamaze.benchmarks.harness.running.runner import Runner, Setting, run_seed
from dynamaze.benchmarks.studies.comparison import (
    Estimate,
    difference,
    improvement,
    interquartile_reward,
    normalised_rewards,
    phase_length,
    profile,
    recovery_curve,
)
from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.options import Count, Fraction, NonNegative, Runs, Seconds, Steps

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CURVE_POINTS = 100
"""Points of each stored curve, at most."""

METRICS = ("reward", "regret", "best", "episodes", "steps")
"""Numbers of a run."""

RUN_COLUMNS = ("agent", "environment", "run", *METRICS, "kind")
"""Columns of the table of runs, without those of changes."""

DEFAULT_STEPS = 6000
"""Real steps of each run, where neither steps nor episodes are given."""

RECOVERY_POINTS = 300
"""Points of the curves of recovery and of the performance profile."""

MOST_RECOVERIES = 4
"""Changes whose recovery is plotted, at most."""

Styles = Mapping[str, Mapping[str, Any]]
"""Style of each agent's lines."""


class AgentEntry(NamedTuple):
    """An agent of a comparison."""

    name: str
    factory: Any  # or a policy; see `step_runs.run_agent`


class EnvEntry(NamedTuple):
    """An environment of a comparison."""

    name: str
    make: Callable[[], gym.Env[Any, Any]]


class Entries(NamedTuple):
    """Agents and environments of a comparison."""

    agents: Sequence[AgentEntry]
    envs: Sequence[EnvEntry]


@dataclass(frozen=True)
class CompareConfig(ExperimentConfig):
    """Comparison of agents, also of your own, in one or several environments."""

    name: ClassVar[str] = "compare"
    title: ClassVar[str] = "Comparison of agents"
    swept: ClassVar[tuple[str, ...]] = ("agent", "env")
    failures: ClassVar[str] = "compare_failures"

    agent: tuple[str, ...] = ("DynaQ", "DynaQPlus")
    """Agents: a name (DynaQ, PPO, random), with arguments "DynaQ(planning_steps=50)"; a file
    (.safetensors, .onnx, .npz, .zip); builtin:NAME of a student that comes with the package;
    module:name or path/file.py:name of your own. LABEL=AGENT gives it a name for the tables."""
    env: tuple[str, ...] = ("DynaMazeShortcut-v0",)
    """Environments: an id, with arguments "DynaMaze-v0(slip_probability=0.2)"; or module:name of
    what makes one; also LABEL=ENVIRONMENT."""
    steps: Steps | None = None
    """Real steps of each run; by default 6000, unless a number of episodes is given."""
    episodes: Count | None = None
    """Episodes of each run, instead of steps."""
    runs: Runs = 100
    """Runs of each agent in each environment."""
    run_limit: Seconds | None = 600.0
    """Seconds after which a run is stopped and counts as failed."""
    gamma: Fraction = 0.95
    """Discount of the exact regret."""
    recovery_window: Steps = 200
    """Steps of the window whose mean reward tells whether an agent has recovered."""
    recovery_fraction: NonNegative = 0.75
    """Fraction of the best possible reward rate from which it has."""

    def __post_init__(self) -> None:
        if self.steps is None and self.episodes is None:
            object.__setattr__(self, "steps", DEFAULT_STEPS)

    @cached_property
    def entries(self) -> Entries:
        """Agents and environments with their names.

        Raises:
            ValueError: for an unknown one.
        """
        return Entries(
            [AgentEntry(name, resolve_agent(text)) for name, text in map(named_text, self.agent)],
            [EnvEntry(name, resolve_env(text)) for name, text in map(named_text, self.env)],
        )

    @cached_property
    def phases(self) -> Sequence[tuple[Phase, ...]]:
        """Phases of each environment; none where episodes are counted."""
        return [self._phases_of(env) for env in self.entries.envs]

    @property
    def settings(self) -> Sequence[Setting]:
        """Each agent in each environment."""
        return [
            Setting((agent.factory, env.make, phases), self.runs, agent.name, env.name)
            for env, phases in zip(self.entries.envs, self.phases, strict=True)
            for agent in self.entries.agents
        ]

    def make_executor(self, workers: int) -> MakeExecutor | None:
        """Return what makes threads, if all runs are compiled; None for processes."""
        return executor_for(self.entries, workers)

    @property
    def caption(self) -> str:
        """Explanation of the numbers, below the summary."""
        texts = [
            "n: runs without an error; mean and 95% interval. Regret: exact, with discount "
            f"{self.gamma:g}."
        ]
        if any(len(phases) > 1 for phases in self.phases):
            texts.append(
                f"Recovered: share of the runs in which the mean reward of {self.recovery_window} "
                f"steps reaches {self.recovery_fraction:.0%} of the best possible one in the new "
                "phase; steps until then: restricted mean, of which at most the phase counts."
            )
        if len(self.agent) > 1:
            texts.append(
                "Difference: paired by environment and seed; probability that a run has more "
                "reward: bootstrap stratified by environment."
            )
        return " ".join([*texts, FEW_RUNS_NOTE])

    def check(self) -> None:
        """Check the options before anything runs.

        Raises:
            ValueError: for an option with a value that it cannot have, an unknown agent or
                environment, or a student that does not fit an environment.
        """
        super().check()
        if self.steps is not None and self.episodes is not None:
            raise ValueError(
                f"steps={self.steps} and episodes={self.episodes}; expected one of them"
            )
        for kind, entries in self.entries._asdict().items():
            names = [entry.name for entry in entries]
            if not names:
                raise ValueError(f"no {kind}; expected at least one")
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise ValueError(f"{twice!r} is there twice in {kind}; expected different names")
        if not self.plot_only:
            _ = self.phases  # makes each environment once
            self._check_students()

    @property
    def length(self) -> str:
        """Length of a run, as text."""
        return f"{self.steps} steps" if self.steps else f"{self.episodes} episodes"

    @property
    def budget(self) -> Budget:
        """Length of a run."""
        return Budget(self.steps or 0, self.episodes or 0)

    def __getstate__(self) -> dict[str, Any]:
        """Return the options alone: a run gets its agent and environment as arguments."""
        derived = ("entries", "phases")
        return {name: value for name, value in vars(self).items() if name not in derived}

    def _check_students(self) -> None:
        """Check that students fit the environments; other agents may need time to be made."""
        for agent in self.entries.agents:
            if isinstance(agent.factory, StoredAgent) and agent.factory.is_student:
                for env in self.entries.envs:
                    made = env.make()
                    try:
                        agent.factory(made, seed=0)
                    finally:
                        made.close()

    def _phases_of(self, env: EnvEntry) -> tuple[Phase, ...]:
        try:
            made = env.make()
        except Exception as error:  # the environment's own
            raise ValueError(
                f"environment {env.name!r} cannot be made ({type(error).__name__}: {error}); "
                "expected an id, or what makes one without arguments"
            ) from error
        if not isinstance(made, gym.Env):
            raise ValueError(f"environment {env.name!r} made {made!r}; expected a gymnasium.Env")
        try:
            return tuple(phases_of(made, self.steps, self.gamma)) if self.steps else ()
        finally:
            made.close()


def executor_for(entries: Entries, workers: int) -> MakeExecutor | None:
    """Return what makes threads, if every agent can be run compiled in every environment.

    Compiled code runs in parallel in threads, which start at once. Otherwise None, for processes.
    """
    if workers < 2 or not all_compiled(entries):
        return None
    return partial(ThreadPoolExecutor, workers)


def all_compiled(entries: Entries) -> bool:
    """Return True if every agent can be run compiled in every environment; takes no step."""
    for agent in entries.agents:
        for env in entries.envs:
            try:
                if run_kind(agent.factory, env.make) != COMPILED:
                    return False
            except Exception:  # the agent's own; its runs will show it
                return False
    return True


def run(config: CompareConfig, runner: Runner | None = None) -> Tables:
    """Run the comparison.

    Args:
        config: the settings.
        runner: runs the runs; by default one after another, in this process.

    Returns:
        - compare: a row for each run without an error: agent, environment, run, reward (the sum
          over the run), regret (NaN if unknown), best (expected reward of the optimal policy of
          each phase; NaN if unknown), episodes, steps, a column for each change (recovery_1, ...:
          steps, infinite if censored; NaN without such a change) and kind of the run.
        - compare_curves: mean cumulative reward and regret with intervals by step or episode.
        - compare_phases: start, end and best rate of each environment's phases.
        - compare_failures: agent, environment, run and error of each failed run.
        - compare_time: seconds of each run.
    """
    runner = runner or Runner()
    results = runner.run(trial, config, failures="keep")
    entries = config.entries
    pairs = [(agent.name, env.name) for env in entries.envs for agent in entries.agents]
    changes = max((len(phases) - 1 for phases in config.phases), default=0)
    rows, curves = [], []
    for (agent, env), tables in zip(pairs, results, strict=True):
        done = [(number, table) for number, table in enumerate(tables) if table is not None]
        rows += [_row(agent, env, number, table, changes) for number, table in done]
        if len(done) > 1:
            curves.append(_curves(agent, env, config, [table for _, table in done]))
    failures, seconds = outcome(runner, config, pairs)
    return {
        config.name: from_rows(rows) if rows else _empty(*RUN_COLUMNS, *_change_columns(changes)),
        f"{config.name}_curves": stack(curves) if curves else _empty("agent", "environment"),
        f"{config.name}_phases": _phase_table(config),
        f"{config.name}_failures": failures,
        f"{config.name}_time": seconds,
    }


def trial(
    config: CompareConfig,
    agent: Any,
    make_env: Callable[[], gym.Env[Any, Any]],
    phases: Sequence[Phase],
    number: int,
) -> Table:
    """Run one agent once.

    Returns:
        A row with the columns of `run` and the curves, (1, points).
    """
    seed = int(run_seed(config.seed, number).generate_state(1)[0] >> 1)
    record = run_agent(agent, make_env, config.budget, seed=seed, gamma=config.gamma)
    at = curve_places(len(record.rewards)) - 1
    known = record.regrets.size > 0
    regrets = record.regrets if known else np.full(len(record.rewards), np.nan)
    best = sum((phase.end - phase.start) * phase.best_rate for phase in phases)
    recovery = [
        recovery_time(
            record.rewards[phase.start : phase.end],
            phase.best_rate,
            window=config.recovery_window,
            fraction=config.recovery_fraction,
        )
        for phase in phases[1:]
    ]
    return {
        "reward": np.array([record.rewards.sum()]),
        "regret": np.array([regrets.sum()]),
        "best": np.array([best if phases else np.nan]),
        "episodes": np.array([record.num_episodes]),
        "steps": np.array([record.num_steps]),
        "recovery": np.array([recovery], dtype=np.float64).reshape(1, -1),
        "kind": np.array([record.kind]),
        "reward_curve": record.rewards.cumsum()[None, at],
        "regret_curve": regrets.cumsum()[None, at],
    }


def curve_places(length: int) -> IntArray:
    """Return (points,) the steps or episodes, counted from 1, at which curves are stored."""
    return np.unique(np.linspace(1, length, min(length, CURVE_POINTS)).round().astype(np.int64))


def recovery_time(rewards: FloatArray, best_rate: float, *, window: int, fraction: float) -> float:
    """Return the steps from a change to the first window with enough reward.

    Args:
        rewards: (steps,) from the change to the end of the phase.
        best_rate: best possible reward a step of the phase.
        window: steps.
        fraction: of the best rate; a negative rate may be larger by as much as a positive one may
            be smaller.

    Returns:
        Steps to the beginning of the window; infinity if there is none, NaN if the best rate is
        unknown.
    """
    if np.isnan(best_rate):
        return float("nan")
    if len(rewards) < window:
        return float("inf")
    sums = np.concatenate([[0.0], rewards.cumsum()])
    means = (sums[window:] - sums[:-window]) / window
    enough = means >= best_rate - (1 - fraction) * abs(best_rate)
    return float(enough.argmax()) if enough.any() else float("inf")


# -- tables ------------------------------------------------------------------------------------


def outcome(
    runner: Runner, config: CompareConfig, pairs: Sequence[tuple[str, str]]
) -> tuple[Table, Table]:
    """Return the tables of failures and of seconds of the last sweep of a runner."""
    failures = [
        (agent, env, failure.number, _last_line(failure.error))
        for (agent, env), each in zip(pairs, runner.failures, strict=True)
        for failure in each
    ]
    seconds = [
        (agent, env, number, took)
        for (agent, env), each in zip(pairs, runner.seconds, strict=True)
        for number, took in each.items()
    ]
    names = ("agent", "environment", "run")
    return _columns((*names, "error"), failures), _columns((*names, "seconds"), seconds)


def _columns(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    if not rows:
        return _empty(*names)
    columns = zip(*rows, strict=True)
    return {name: np.array(column) for name, column in zip(names, columns, strict=True)}


def _empty(*names: str) -> Table:
    return {name: np.array([], dtype=np.str_) for name in names}


def _last_line(error: str) -> str:
    """Return the sentence of a traceback; the types of our own errors are left out."""
    last = (error.strip().splitlines() or ["unknown"])[-1]
    return re.sub(r"^dynamaze\.[\w.]+: ", "", last)


def _row(agent: str, env: str, number: int, table: Table, changes: int) -> Mapping[str, Any]:
    recovery = table["recovery"][0]
    row = {"agent": agent, "environment": env, "run": number}
    row |= {name: table[name][0] for name in METRICS}
    for change, column in enumerate(_change_columns(changes)):
        row[column] = recovery[change] if change < len(recovery) else np.nan
    return {**row, "kind": str(table["kind"][0])}


def _change_columns(changes: int) -> list[str]:
    return [f"recovery_{change + 1}" for change in range(changes)]


def _curves(agent: str, env: str, config: CompareConfig, tables: Sequence[Table]) -> Table:
    columns: Table = {}
    for quantity in ("reward", "regret"):
        samples = np.concatenate([table[f"{quantity}_curve"] for table in tables])
        columns |= interval_columns(quantity, mean_interval(samples))
    places = curve_places(config.steps or config.episodes or 0)
    return make_table(
        agent=agent, environment=env, place=places, **columns, runs=np.array(len(tables))
    )


def _phase_table(config: CompareConfig) -> Table:
    rows = [
        {"environment": env.name, "start": phase.start, "end": phase.end, "best": phase.best_rate}
        for env, phases in zip(config.entries.envs, config.phases, strict=True)
        for phase in phases
    ]
    return from_rows(rows) if rows else _empty("environment", "start", "end", "best")


# -- plot and summary --------------------------------------------------------------------------


def plot(tables: Tables, config: CompareConfig) -> Figure:
    """Plot regret, recovery and, with several environments, the performance profile.

    The cumulative regret, or the reward where it is unknown, in each environment; the share of the
    runs that have not recovered after each of its first changes (Kaplan-Meier); and the share of
    all runs above each fraction of the best reward.
    """
    curves, phases = tables[f"{config.name}_curves"], tables[f"{config.name}_phases"]
    envs = distinct(curves, "environment")
    styles = curve_styles(distinct(curves, "agent"))
    draw: list[Callable[[Axes], None]] = [
        partial(_plot_curves, rows_where(curves, environment=env), styles, phases) for env in envs
    ]
    for env, change in _known_changes(tables, config)[:MOST_RECOVERIES]:
        draw.append(partial(_plot_recovery, tables, config, styles, env, change))
    if len(_scored_envs(tables[config.name])) > 1:
        draw.append(partial(_plot_profile, tables[config.name], styles))
    cols = min(max(len(draw), 1), 3)
    rows = max(-(-len(draw) // cols), 1)
    figure, axes = panels(rows, cols, size=(5.5 * cols, 4 * rows + 0.5))
    for each in axes.flat[len(draw) :]:
        each.set_axis_off()
    for each, fill in zip(axes.flat, draw, strict=False):
        fill(each)
    if envs:
        legend_below(figure, axes[0, 0], 4)
    return figure


def _plot_curves(curves: Table, styles: Styles, phases: Table, axes: Axes) -> None:
    env = distinct(curves, "environment")[0]
    quantity = "reward" if np.isnan(curves["regret_mean"]).all() else "regret"
    for agent in distinct(curves, "agent"):
        curve = rows_where(curves, agent=agent)
        interval = interval_of(curve, quantity)
        line_with_band(axes, curve["place"], interval, label=agent, **styles[agent])
    starts = rows_where(phases, environment=env)["start"].tolist()
    for start in starts[1:]:
        axes.axvline(start, **EVENT)
    axes.set(
        xlabel="Steps" if starts else "Episodes",  # phases are those of steps
        ylabel=f"Cumulative {quantity}",
        title=f"{env}: mean, 95% interval, {_count_text(curves['runs'])}",
    )


def _plot_recovery(
    tables: Tables, config: CompareConfig, styles: Styles, env: str, change: int, axes: Axes
) -> None:
    table, phases = tables[config.name], tables[f"{config.name}_phases"]
    spans = rows_where(phases, environment=env)
    places = np.linspace(0, phase_length(spans, change), RECOVERY_POINTS)
    counts = []
    for agent in distinct(rows_where(table, environment=env), "agent"):
        curve = recovery_curve(table, phases, agent, env, change)
        counts.append(int(curve.at_risk[0]))
        style = {"label": agent, **styles.get(agent, {})}
        line_with_band(axes, places, curve.at(places), **style)
    axes.set(
        xlabel=f"Steps after the change at step {spans['start'][change]}",
        ylabel="Share of runs not recovered",
        ylim=(-0.02, 1.02),
        title=f"{env}: Kaplan-Meier, 95% interval, {_count_text(counts)}",
    )


def _plot_profile(table: Table, styles: Styles, axes: Axes) -> None:
    agents = [agent for agent in distinct(table, "agent") if normalised_rewards(table, agent)[0]]
    scores = {agent: normalised_rewards(table, agent)[1] for agent in agents}
    lowest = min(0.0, *(float(each.min()) for each in scores.values()))
    highest = max(1.0, *(float(each.max()) for each in scores.values()))
    thresholds = np.linspace(lowest, highest, RECOVERY_POINTS)
    for agent in agents:
        style = {"label": agent, **styles.get(agent, {})}
        line_with_band(axes, thresholds, profile(table, agent, thresholds), **style)
    axes.set(
        xlabel="Fraction of the best reward",
        ylabel="Share of runs above it",
        ylim=(-0.02, 1.02),
        title="All environments: performance profile, "
        f"95% interval, {_count_text([each.size for each in scores.values()])}",
    )


def _count_text(counts: npt.ArrayLike) -> str:
    lowest, highest = np.min(counts), np.max(counts)
    return f"n={highest}" if lowest == highest else f"n={lowest} to {highest}"


def _known_changes(tables: Tables, config: CompareConfig) -> list[tuple[str, int]]:
    """Return the changes, by environment and number, after which the best reward is known."""
    table, phases = tables[config.name], tables[f"{config.name}_phases"]
    found = []
    for env in distinct(phases, "environment"):
        rows = rows_where(table, environment=env)
        for change in range(1, len(rows_where(phases, environment=env)["start"])):
            if len(rows["run"]) and not np.isnan(rows[f"recovery_{change}"]).any():
                found.append((env, change))
    return found


def _scored_envs(table: Table) -> set[str]:
    """Return the environments whose best reward is known and positive."""
    return {
        env for agent in distinct(table, "agent") for env in normalised_rewards(table, agent)[0]
    }


def summary(tables: Tables, config: CompareConfig) -> dict[str, Lines]:
    """Return the tables of a comparison by title; none is wider than a terminal of 80 columns.

    For each environment the rewards and regrets, and the recovery after each change; over all, the
    interquartile mean and the differences to the first agent; then how the runs went: their speed,
    failed runs, and why runs were not compiled.
    """
    table, failures = tables[config.name], tables[f"{config.name}_failures"]
    pairs = [
        (agent, env)
        for env in _names("environment", table, failures)
        for agent in _names(
            "agent", *(rows_where(each, environment=env) for each in (table, failures))
        )
    ]
    sections: dict[str, Lines] = {}
    for env in dict.fromkeys(env for _, env in pairs):
        agents = [agent for agent, each in pairs if each == env]
        own = rows_where(table, environment=env)
        sections[f"{config.title} in {env}, {config.length}"] = reward_lines(own, agents)
        sections |= recovery_sections(tables, config, env, agents)
    agents = distinct(table, "agent")
    if len(_scored_envs(table)) > 1:
        sections["All environments, interquartile mean"] = pooled_lines(table)
    if len(agents) > 1:
        sections[f"Compared with {agents[0]}"] = difference_lines(table, agents)
    sections["Runs"] = run_lines(tables, config, pairs)
    sections |= remark_sections(tables, config, pairs)
    return sections


def _names(column: str, *tables: Table) -> list[str]:
    return [*dict.fromkeys(str(name) for table in tables for name in table[column].tolist())]


def reward_lines(table: Table, agents: Sequence[str]) -> Lines:
    """Return the reward and the regret of each agent in an environment."""
    lines: Lines = [("agent", "n", "reward of a run", "regret")]
    for agent in agents:
        rows = rows_where(table, agent=agent)
        texts = _mean_text(rows["reward"]), _mean_text(rows["regret"], minimum=0.0)
        lines.append((agent, str(len(rows["run"])), *texts))
    return lines


def recovery_sections(
    tables: Tables, config: CompareConfig, env: str, agents: Sequence[str]
) -> dict[str, Lines]:
    """Return for each change the share of the runs that recovered, and the restricted mean."""
    table, phases = tables[config.name], tables[f"{config.name}_phases"]
    spans = rows_where(phases, environment=env)
    sections: dict[str, Lines] = {}
    for change in [number for each, number in _known_changes(tables, config) if each == env]:
        lines: Lines = [("agent", "n", "recovered", "steps to recover")]
        for agent in agents:
            times = rows_where(table, agent=agent, environment=env)[f"recovery_{change}"]
            texts = _recovery_texts(times, phase_length(spans, change))
            lines.append((agent, str(len(times)), *texts))
        start = spans["start"][change]
        sections[f"Recovery in {env}, change at step {start}"] = lines
    return sections


def pooled_lines(table: Table) -> Lines:
    """Return the interquartile mean of each agent's normalised rewards over all environments."""
    lines: Lines = [("agent", "environments", "n", "fraction of the best reward")]
    for agent in distinct(table, "agent"):
        envs = normalised_rewards(table, agent)[0]
        if envs:
            found = interquartile_reward(table, agent)
            lines.append((agent, str(len(envs)), str(found.n), found.text(3)))
        else:
            lines.append((agent, "0", "0", "unknown"))
    return lines


def difference_lines(table: Table, agents: Sequence[str]) -> Lines:
    """Return each agent's paired difference to the first one, and how probably it has more."""
    lines: Lines = [("agent", "n", "reward, difference", "more reward, probability")]
    for agent in agents[1:]:
        try:
            found = difference(table, agent, agents[0])
            probability = improvement(table, agent, agents[0]).text(2)
            lines.append((agent, str(found.n), found.text(), probability))
        except ValueError:  # they have no two runs in common
            lines.append((agent, "0", "-", "-"))
    return lines


def run_lines(tables: Tables, config: CompareConfig, pairs: Sequence[tuple[str, str]]) -> Lines:
    """Return how many runs of each agent are complete and failed, their speed and kind."""
    table, failures = tables[config.name], tables[f"{config.name}_failures"]
    took = tables[f"{config.name}_time"]
    has_envs = len({env for _, env in pairs}) > 1
    envs = ("environment",) if has_envs else ()
    lines: Lines = [("agent", *envs, "done", "failed", "µs a step", "kind")]
    for agent, env in pairs:
        rows, bad, times = (
            rows_where(each, agent=agent, environment=env) for each in (table, failures, took)
        )
        kinds = dict.fromkeys(str(each).partition(":")[0] for each in rows["kind"])
        lines.append(
            (
                agent,
                *((env,) if has_envs else ()),
                str(len(rows["run"])),
                str(len(bad["run"])),
                _time_text(rows, times),
                "; ".join(kinds) or "-",
            )
        )
    return lines


def remark_sections(
    tables: Tables, config: CompareConfig, pairs: Sequence[tuple[str, str]]
) -> dict[str, Lines]:
    """Return why runs were not compiled, and the first error of those that failed."""
    table, failures = tables[config.name], tables[f"{config.name}_failures"]
    reasons: Lines = [("agent", "environment", "why its runs were not compiled")]
    errors: Lines = [("agent", "environment", "failed", "first error")]
    envs_of: dict[tuple[str, str], list[str]] = {}
    for agent, env in pairs:
        rows, bad = (rows_where(each, agent=agent, environment=env) for each in (table, failures))
        for kind in distinct(rows, "kind"):
            if kind != COMPILED:
                envs_of.setdefault((agent, kind.partition(": ")[2]), []).append(env)
        if len(bad["run"]):
            errors.append((agent, env, str(len(bad["run"])), str(bad["error"][0])))
    count = len({env for _, env in pairs})
    for (agent, reason), envs in envs_of.items():
        reasons.append((agent, "all" if len(envs) == count > 1 else ", ".join(envs), reason))
    found = {"Runs that were not compiled": reasons, "Failed runs": errors}
    return {title: lines for title, lines in found.items() if len(lines) > 1}


def _mean_text(samples: FloatArray, minimum: float = -np.inf) -> str:
    """Return a mean with its interval."""
    if not len(samples):
        return "-"
    if np.isnan(samples).any():
        return "unknown"
    if len(samples) < 2:
        return f"{samples.mean():.4g}"
    return Estimate.of(mean_interval(samples), len(samples), "mean").text(minimum=minimum)


def _recovery_texts(times: FloatArray, horizon: float) -> list[str]:
    """Return the share of the runs that recovered and the restricted mean of the time."""
    if not len(times):
        return ["-", "-"]
    share = IntervalEstimate(*(100 * part for part in fraction_recovered(times, horizon)))
    texts = [format_interval(share, 0, unit="%")]
    if len(times) < 2 or not np.isfinite(times).any():
        return [*texts, "-"]
    mean = restricted_mean(*censored_at(times, horizon), horizon)
    return [*texts, format_interval(mean, 0, few=few_runs("time", len(times)))]


def _time_text(rows: Table, took: Table) -> str:
    if not len(took["run"]):
        return "-"
    seconds = dict(zip(took["run"].tolist(), took["seconds"].tolist(), strict=True))
    each = [
        seconds[number] / steps
        for number, steps in zip(rows["run"].tolist(), rows["steps"].tolist(), strict=True)
        if number in seconds
    ]
    if not each:
        return "-"
    median = 1e6 * float(np.median(each))
    return f"{median:,.0f}" if median >= 100 else f"{median:.3g}"


if __name__ == "__main__":
    run_script(__file__)
