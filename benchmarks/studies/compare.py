"""Comparison of any agents in any environments: reward, exact regret and recovery after changes.

`dynamaze.benchmarks.benchmark` is the same from Python, for agents and environments as objects.

Recovery after a change is the first step after it from which the mean reward of a window of
`recovery_window` steps is at least `recovery_fraction` of the best possible rate of the new phase
(`phases_of`). It is censored, and infinite in the table, where no window before the end of the
phase is good enough.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, ClassVar, NamedTuple

import gymnasium as gym
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dynamaze.benchmarks.harness.agent_runs.exact_regret import Phase, phases_of
from dynamaze.benchmarks.harness.agent_runs.resolver import resolve_agent, resolve_env
from dynamaze.benchmarks.harness.agent_runs.step_runs import (
    COMPILED,
    AgentError,
    Budget,
    run_agent,
    run_kind,
)
from dynamaze.benchmarks.harness.analysis.intervals import (
    FEW_RUNS_NOTE,
    IntervalEstimate,
    few_runs,
    format_interval,
    mean_interval,
)
from dynamaze.benchmarks.harness.analysis.plots import EVENT, legend_below, line_with_band, panels
from dynamaze.benchmarks.harness.analysis.statistics import (
    censored_at,
    fraction_recovered,
    interquartile_mean,
    restricted_mean,
    stratified_bootstrap,
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
from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.validation import checked_integer, checked_number

CURVE_POINTS = 100
"""Points of each stored curve, at most."""

METRICS = ("reward", "regret", "best", "episodes", "steps")
"""Numbers of a run."""

RUN_COLUMNS = ("agent", "environment", "run", *METRICS, "kind")
"""Columns of the table of runs, without those of changes."""

BOOTSTRAP_SEED = 20_210_830
"""Seed of the bootstrap's random numbers, which are not those of the runs."""


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
    (.safetensors, .onnx, .npz, .zip); module:name or path/file.py:name of your own."""
    env: tuple[str, ...] = ("DynaMazeShortcut-v0",)
    """Environments: an id, with arguments "DynaMaze-v0(slip_probability=0.2)"; or module:name of
    what makes one."""
    steps: int | None = None
    """Real steps of each run, or"""
    episodes: int | None = None
    """episodes of each run."""
    runs: int = 100
    """Runs of each agent in each environment."""
    run_limit: float | None = 600.0
    """Seconds after which a run is stopped and counts as failed."""
    gamma: float = 0.95
    """Discount of the exact regret."""
    recovery_window: int = 200
    """Steps of the window whose mean reward tells whether an agent has recovered."""
    recovery_fraction: float = 0.75
    """Fraction of the best possible reward rate from which it has."""

    @cached_property
    def entries(self) -> Entries:
        """Agents and environments with their names.

        Raises:
            ValueError: for an unknown one.
        """
        return Entries(
            [AgentEntry(text, resolve_agent(text)) for text in self.agent],
            [EnvEntry(text, resolve_env(text)) for text in self.env],
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
        return (
            f"n: runs without an error; mean and 95% interval. Regret: exact, with discount "
            f"{self.gamma:g}. Recovered: share of the runs in which the mean reward of "
            f"{self.recovery_window} steps reaches {self.recovery_fraction:.0%} of the best "
            "possible one in the new phase; steps until then: restricted mean, of which at most "
            f"the phase counts. {FEW_RUNS_NOTE}"
        )

    def check(self) -> None:
        """Check the options before anything runs.

        Raises:
            ValueError: for an option with a value that it cannot have, or an unknown agent or
                environment.
        """
        super().check()
        if (self.steps is None) == (self.episodes is None) and not self.plot_only:
            raise ValueError(
                f"steps={self.steps} and episodes={self.episodes}; expected exactly one of them"
            )
        for name in ("steps", "episodes"):
            if getattr(self, name) is not None:
                checked_integer(name, getattr(self, name), 1)
        checked_number("gamma", self.gamma, 0, 1)
        checked_integer("recovery_window", self.recovery_window, 1)
        checked_number("recovery_fraction", self.recovery_fraction, 0)
        for kind, entries in self.entries._asdict().items():
            names = [entry.name for entry in entries]
            if not names:
                raise ValueError(f"no {kind}; expected at least one")
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise ValueError(f"{twice!r} is there twice in {kind}; expected different names")

    @property
    def budget(self) -> Budget:
        """Length of a run."""
        return Budget(self.steps or 0, self.episodes or 0)

    def __getstate__(self) -> dict[str, Any]:
        """Return the options alone: a run gets its agent and environment as arguments."""
        derived = ("entries", "phases")
        return {name: value for name, value in vars(self).items() if name not in derived}

    def _phases_of(self, env: EnvEntry) -> tuple[Phase, ...]:
        made = env.make()
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
    """Return the sentence of a traceback."""
    last = (error.strip().splitlines() or ["unknown"])[-1]
    return last.removeprefix(f"{AgentError.__module__}.{AgentError.__name__}: ")


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
    """Plot the cumulative regret, or the reward where it is unknown, in each environment."""
    curves, phases = tables[f"{config.name}_curves"], tables[f"{config.name}_phases"]
    envs = distinct(curves, "environment")
    figure, axes = panels(1, max(len(envs), 1), size=(5.5 * max(len(envs), 1), 4.5))
    for each, env in zip(axes[0], envs, strict=False):
        _plot_env(each, env, rows_where(curves, environment=env))
        starts = rows_where(phases, environment=env)["start"].tolist()
        each.set_xlabel("Steps" if starts else "Episodes")  # phases are those of steps
        for start in starts[1:]:
            each.axvline(start, **EVENT)
    if envs:
        legend_below(figure, axes[0, 0], 4)
    return figure


def _plot_env(axes: Axes, env: str, curves: Table) -> None:
    quantity = "reward" if np.isnan(curves["regret_mean"]).all() else "regret"
    for agent in distinct(curves, "agent"):
        curve = rows_where(curves, agent=agent)
        line_with_band(axes, curve["place"], interval_of(curve, quantity), label=agent)
    lowest, highest = curves["runs"].min(), curves["runs"].max()
    count = f"n={highest}" if lowest == highest else f"n={lowest} to {highest}"
    axes.set(
        ylabel=f"Cumulative {quantity}",
        title=f"{env}: mean, 95% interval, {count}",
    )


def summary(tables: Tables, config: CompareConfig) -> dict[str, Lines]:
    """Return a line for each agent in each environment; with several, also one over all."""
    table, failures = tables[config.name], tables[f"{config.name}_failures"]
    pairs = dict.fromkeys(
        (str(agent), str(env))
        for each in (table, failures)
        for agent, env in zip(each["agent"], each["environment"], strict=True)
    )
    sections: dict[str, Lines] = {}
    kinds: Lines = [("agent", "environment", "run")]
    for env in dict.fromkeys(env for _, env in pairs):
        lines: Lines = []
        for agent in (agent for agent, each in pairs if each == env):
            cells = summary_cells(tables, config, agent, env)
            if not lines:
                lines.append(tuple(cells))
            lines.append(tuple(cells.values()))
            rows = rows_where(table, agent=agent, environment=env)
            kinds += [
                (agent, env, str(kind)) for kind in distinct(rows, "kind") if kind != COMPILED
            ]
            bad = rows_where(failures, agent=agent, environment=env)
            kinds += [(agent, env, f"failed: {error}") for error in distinct(bad, "error")[:1]]
        sections[f"{config.title} in {env}"] = lines
    if len(sections) > 1:
        sections["Interquartile mean over all environments"] = pooled_lines(table)
    if len(kinds) > 1:
        sections["Runs that were not compiled"] = kinds
    return sections


def summary_cells(tables: Tables, config: CompareConfig, agent: str, env: str) -> dict[str, str]:
    """Return name -> text of the cells of an agent in an environment."""
    table, failures = tables[config.name], tables[f"{config.name}_failures"]
    rows, bad = (rows_where(each, agent=agent, environment=env) for each in (table, failures))
    phases, took = tables[f"{config.name}_phases"], tables[f"{config.name}_time"]
    spans = rows_where(phases, environment=env)
    count = len(rows["run"])
    cells = {"agent": agent, "n": str(count), "failed": str(len(bad["run"]))}
    reward = regret = speed = kind = "-"
    if count:
        reward, regret = _mean_text(rows["reward"]), _mean_text(rows["regret"])
        speed = _time_text(rows, rows_where(took, agent=agent, environment=env))
        kind = "; ".join(dict.fromkeys(str(each).partition(":")[0] for each in rows["kind"]))
    cells |= {"reward a run": reward, "regret": regret}
    changes = max(len(spans["start"]) - 1, 0)
    for change in range(1, changes + 1):
        which = f" after change {change}" if changes > 1 else ""
        texts = _recovery_texts(rows[f"recovery_{change}"], spans, change) if count else ["-", "-"]
        cells |= {f"recovered{which}": texts[0], f"steps to recover{which}": texts[1]}
    return {**cells, "µs a step": speed, "run": kind}


def pooled_lines(table: Table) -> Lines:
    """Return the interquartile mean of each agent's normalised rewards over all environments.

    A reward is divided by the expected reward of the optimal policies of the phases, which must be
    known and positive. The interval is the stratified bootstrap's (Agarwal et al. 2021).
    """
    lines: Lines = [("agent", "environments", "n", "fraction of the best reward")]
    for agent in distinct(table, "agent"):
        rows = rows_where(table, agent=agent)
        usable = [
            env
            for env in distinct(rows, "environment")
            if (rows_where(rows, environment=env)["best"] > 0).all()
        ]
        if not usable:
            lines.append((agent, "0", "0", "-"))
            continue
        scores = [rows_where(rows, environment=env) for env in usable]
        runs = min(len(each["run"]) for each in scores)
        matrix = np.stack([(each["reward"] / each["best"])[:runs] for each in scores], axis=1)
        rng = np.random.default_rng(BOOTSTRAP_SEED)
        interval = stratified_bootstrap(interquartile_mean, matrix, rng=rng)
        text = format_interval(interval, 3, few=few_runs("bootstrap", runs))
        lines.append((agent, str(len(usable)), str(runs), text))
    return lines


def _mean_text(samples: FloatArray) -> str:
    """Return a mean with its interval, with as many digits as it takes."""
    if np.isnan(samples).any():
        return "unknown"
    if len(samples) < 2:
        return f"{samples.mean():.4g}"
    interval = mean_interval(samples)
    half = float(interval.high - interval.low) / 2
    digits = int(np.clip(np.ceil(-np.log10(half)) + 1, 0, 4)) if half > 0 else 1
    return format_interval(interval, digits, few=few_runs("mean", len(samples)))


def _recovery_texts(times: FloatArray, phases: Table, change: int) -> list[str]:
    """Return the share of the runs that recovered and the restricted mean of the time."""
    if np.isnan(times).any():
        return ["-", "-"]
    horizon = float(phases["end"][change] - phases["start"][change])
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
    return f"{1e6 * float(np.median(each)):.3g}" if each else "-"


if __name__ == "__main__":
    run_script(__file__)
