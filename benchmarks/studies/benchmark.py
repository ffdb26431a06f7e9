"""One call that compares any agents in any environments."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy.typing as npt
from rich.console import Console

from dynamaze.benchmarks.harness.agent_runs.resolver import (
    StableBaselinesAgent,
    end_import,
    is_sb3_algorithm,
    resolve_agent,
    resolve_env,
)
from dynamaze.benchmarks.harness.analysis.intervals import IntervalEstimate
from dynamaze.benchmarks.harness.analysis.plots import styled
from dynamaze.benchmarks.harness.analysis.statistics import SurvivalCurve
from dynamaze.benchmarks.harness.analysis.summary_grid import SummaryGrid
from dynamaze.benchmarks.harness.analysis.table import Lines, Table, Tables, write_csv
from dynamaze.benchmarks.harness.experiment import figure_content
from dynamaze.benchmarks.harness.reports.report import (
    FailedRun,
    Report,
    machine_lines,
    write_report,
)
from dynamaze.benchmarks.harness.running.executors import available_cores
from dynamaze.benchmarks.harness.running.live_view import open_view
from dynamaze.benchmarks.harness.running.runner import Runner
from dynamaze.benchmarks.harness.store.database import Store
from dynamaze.benchmarks.harness.store.provenance import command_line
from dynamaze.benchmarks.studies import compare, comparison
from dynamaze.benchmarks.studies.compare import AgentEntry, CompareConfig, Entries, EnvEntry
from dynamaze.benchmarks.studies.comparison import Estimate
from dynamaze.common.atomic_files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def benchmark(  # noqa: PLR0913  # keywords, most of them the runner's
    agents: Any,
    env: Any,
    *,
    steps: int | None = None,
    episodes: int | None = None,
    runs: int = 100,
    seed: int = 0,
    gamma: float = 0.95,
    store: str | os.PathLike[str] | Store | None = None,
    executor: Executor | Callable[[], Executor] | None = None,
    workers: int | None = None,
    run_limit: float | None = 600.0,
    retry_failed: bool = False,
    progress: bool = True,
) -> Results:
    """Run agents many times each, and return their rewards, regrets and recoveries.

    Runs are compiled where agent and environment allow it, else step by step; the summary says
    which, and why. Run i of every agent has the same seed, which also seeds the environment. A run
    that fails is counted and shown; the others go on.

    Args:
        agents: name -> agent; or one agent, or a sequence of them. An agent is

            - a factory, called as `factory(env, seed=int)`: a class, a function, or
              `partial(DynaQ, planning_steps=50)`, `partial(PPO, "MlpPolicy")`. What it returns is
              an agent of `dynamaze.agents`; or has `act(observation)` and, if it learns,
              `update(observation, action, reward, next_observation, terminated, truncated)`; or
              has `learn(total_timesteps)` and `predict`, as in Stable-Baselines3;
            - a policy, which does not learn: an object with `act` or `predict`, or a function of
              observations. `reset()` is called at the beginning of each episode if it is there;
            - text, as for the command line (`resolve_agent`).
        env: id of an environment, or a function that makes one; or several of these, as a sequence
            or as name -> environment.
        steps: real steps of each run; by default 6000, unless `episodes` is given.
        episodes: episodes of each run, instead of steps.
        runs: of each agent in each environment; at least 2.
        seed: determines every number.
        gamma: discount of the exact regret.
        store: file of the results, from which a stopped call continues and to which runs and
            agents may be added; or an open store. None keeps them in memory.
        executor: any `concurrent.futures.Executor`, or a function that makes one. None for threads
            where all runs are compiled, and processes otherwise.
        workers: threads or processes; None for one on each core, 1 for this process.
        run_limit: seconds after which a run is stopped and counts as failed; None for no limit.
        retry_failed: run again what failed in an earlier call with the same store.
        progress: show the progress.

    Raises:
        ValueError: for an unknown agent or environment, or a number outside its range.
        TypeError: for an agent or environment of another kind.
        StoreError: if the store cannot be used.
    """
    end_import()
    entries = Entries(_agent_entries(agents), _env_entries(env))
    config = CompareConfig(
        agent=tuple(entry.name for entry in entries.agents),
        env=tuple(entry.name for entry in entries.envs),
        steps=steps,
        episodes=episodes,
        runs=runs,
        seed=seed,
        gamma=gamma,
        workers=workers,
        run_limit=run_limit,
        retry_failed=retry_failed,
    )
    vars(config)["entries"] = entries  # a cached property, which the names would not give
    config.check()
    with ExitStack() as stack:
        if not isinstance(store, Store):
            store = stack.enter_context(Store(store))
        count = available_cores() if workers is None else workers
        if executor is None:
            executor = compare.executor_for(entries, count)
        runner = stack.enter_context(
            Runner(
                executor=executor,
                workers=count if executor is None else workers,
                store=store,
                view=open_view(Console()) if progress else None,
                run_limit=run_limit,
                retry_failed=retry_failed,
            )
        )
        tables = compare.run(config, runner)
        pairs = [(agent.name, each.name) for each in entries.envs for agent in entries.agents]
        failures = [
            FailedRun(f"{agent}, {name}", failed.number, failed.attempts, failed.error)
            for (agent, name), found in zip(pairs, runner.failures, strict=True)
            for failed in found
        ]
        machines = machine_lines(store, runner.group_ids)
        results = Results(tables, config, failures, machines)
        if store.path is not None:
            runner.end_sweeps(tables, **results._shown())  # for `dynamaze bench report`
    return results


@dataclass(frozen=True)
class Results:
    """Results of `benchmark`.

    Attributes:
        tables: name -> table; see `compare.run`.
        config: the settings.
        failures: failed runs, with their tracebacks.
        machines: lines of versions and machines, the first of which has numbers of runs.
    """

    tables: Tables
    config: CompareConfig
    failures: Sequence[FailedRun] = ()
    machines: Lines = field(default_factory=list)

    def __repr__(self) -> str:
        config = self.config
        return (
            f"Results of {', '.join(config.agent)} in {', '.join(config.env)}: "
            f"{len(self.table['run'])} runs, {len(self.failures)} failed"
        )

    @property
    def table(self) -> Table:
        """A row for each run without an error; see `compare.run`."""
        return self.tables[self.config.name]

    @property
    def curves(self) -> Table:
        """Mean cumulative reward and regret with intervals, by step or episode."""
        return self.tables[f"{self.config.name}_curves"]

    @property
    def lines(self) -> dict[str, Lines]:
        """Title -> lines of the summary, the first of which has the names of the columns."""
        return compare.summary(self.tables, self.config)

    def summary(self) -> None:
        """Print a table of all agents: means, 95% intervals and numbers of runs."""
        console = Console()
        for title, lines in self.lines.items():
            console.print(SummaryGrid(title, lines))
        console.print(self.config.caption, style="italic", highlight=False)

    def plot(self, path: str | os.PathLike[str] | None = None) -> Figure:
        """Return a figure of the cumulative regret, or of the reward where it is unknown.

        Args:
            path: a PNG, SVG or PDF file that is written, too.

        Raises:
            ValueError: for a path with another ending.
            OSError: if the file cannot be written; an older one stays as it was.
            MissingLibraryError: (an ImportError) if Matplotlib is missing.
        """
        figure = styled(compare.plot, self.tables, self.config)
        if path is not None:
            kind = Path(path).suffix.lower().removeprefix(".") or "png"
            write_atomically(path, figure_content(figure, kind))
        return figure

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write the table of all runs."""
        write_csv(path, self.table)

    def report(self, path: str | os.PathLike[str]) -> None:
        """Write one HTML file: tables, picture, settings, failed runs, versions and machine."""
        config = self.config
        write_report(
            path,
            Report(
                **self._shown(),
                configuration={
                    name: getattr(config, name)
                    for name in ("agent", "env", "steps", "episodes", "runs", "seed", "gamma")
                },
                failures=self.failures,
                command=command_line(),
                machines=self.machines,
            ),
        )

    def _shown(self) -> dict[str, Any]:
        """Return the contents of a report, without the plot where Matplotlib is missing."""
        return {
            "title": self.config.title,
            "sections": self.lines,
            "caption": self.config.caption,
            "pictures": [figure_content(self.plot())] if find_spec("matplotlib") else [],
        }

    def difference(
        self, first: str, second: str, quantity: str = "reward", *, sample: str = "runs"
    ) -> Estimate:
        """Return the mean difference of two agents with its 95% interval, paired by run.

        Runs of the same environment and seed are a pair.

        Args:
            first: an agent's name.
            second: the name of the one that is subtracted.
            quantity: "reward", "regret", "episodes" or "steps".
            sample: with several environments, "runs" for the interval over the runs in just these
                environments, "environments" for that over environments, where they are a sample of
                those that are meant, such as generated mazes.

        Raises:
            ValueError: for an unknown name, or fewer than 2 pairs.
        """
        return comparison.difference(self.table, first, second, quantity, sample)

    def probability_of_improvement(self, first: str, second: str) -> Estimate:
        """Return the probability that a run of one agent has more reward than one of another.

        It is averaged over environments; equal rewards count a half. The interval is that of the
        bootstrap stratified by environment (Agarwal et al. 2021).

        Raises:
            ValueError: for an unknown name.
        """
        return comparison.improvement(self.table, first, second)

    def interquartile_mean(self, agent: str) -> Estimate:
        """Return the interquartile mean of an agent's normalised rewards over all environments.

        A reward is divided by that of the optimal policies (`best` in the table), in environments
        where this is known and positive. The interval is that of the bootstrap stratified by
        environment.

        Raises:
            ValueError: for an unknown name, or where no best reward is known.
        """
        return comparison.interquartile_reward(self.table, agent)

    def performance_profile(self, agent: str, thresholds: npt.ArrayLike) -> IntervalEstimate:
        """Return the fractions (thresholds,) of the runs with a normalised reward above each.

        Raises:
            ValueError: for an unknown name, or where no best reward is known.
        """
        return comparison.profile(self.table, agent, thresholds)

    def recovery(self, agent: str, env: str | None = None, change: int = 1) -> SurvivalCurve:
        """Return the Kaplan-Meier estimate of the share of runs that have not recovered.

        Args:
            agent: its name.
            env: name of the environment; may be left out if there is one.
            change: number of the change, from 1.

        Raises:
            ValueError: for an unknown name or change, or where the best reward is unknown.
        """
        names = self.config.env
        if env is None:
            if len(names) > 1:
                raise ValueError(f"no env; expected one of {', '.join(names)}")
            env = names[0]
        phases = self.tables[f"{self.config.name}_phases"]
        return comparison.recovery_curve(self.table, phases, agent, env, change)


# -- arguments ---------------------------------------------------------------------------------


def _agent_entries(agents: Any) -> list[AgentEntry]:
    """Return the agents by name.

    Raises:
        TypeError: for something that is neither a factory nor a policy.
        ValueError: for an unknown name.
    """
    return [AgentEntry(str(name), _agent(name, given)) for name, given in _named(agents)]


def _named(given: Any) -> list[tuple[Any, Any]]:
    """Return names and values of a mapping, of a sequence or of one value."""
    if isinstance(given, Mapping):
        return list(given.items())
    is_many = isinstance(given, Sequence) and not isinstance(given, str)
    return [(_name_of(each), each) for each in (given if is_many else [given])]


def _agent(name: str, given: Any) -> Any:
    if isinstance(given, str | os.PathLike):
        return resolve_agent(os.fspath(given))
    if is_sb3_algorithm(given):
        return StableBaselinesAgent(given)
    if not (callable(given) or hasattr(given, "act") or hasattr(given, "predict")):
        raise TypeError(
            f"agent {name!r} is {given!r}; expected a factory, a policy, a function of "
            "observations, or text"
        )
    return given


def _env_entries(env: Any) -> list[EnvEntry]:
    """Return the environments by name.

    Raises:
        TypeError: for something that makes no environment.
        ValueError: for an unknown id.
    """
    return [EnvEntry(str(name), _maker(given)) for name, given in _named(env)]


def _maker(given: Any) -> Callable[[], gym.Env[Any, Any]]:
    if isinstance(given, str):
        return resolve_env(given)
    if isinstance(given, gym.envs.registration.EnvSpec):
        return partial(gym.make, given)
    if isinstance(given, gym.Env) or not callable(given):
        raise TypeError(
            f"env={given!r}; expected an id, or a function that makes an environment for each run"
        )
    return given  # type: ignore[no-any-return]


def _name_of(given: Any) -> str:
    """Return the name of an agent or environment that has no other one."""
    if isinstance(given, str | os.PathLike):
        return os.fspath(given)
    if isinstance(given, partial):
        arguments = [*map(repr, given.args)]
        arguments += [f"{name}={value!r}" for name, value in given.keywords.items()]
        return f"{_name_of(given.func)}({', '.join(arguments)})"
    if isinstance(given, gym.envs.registration.EnvSpec):
        return given.id
    if inspect.isclass(given) or inspect.isroutine(given):
        return given.__name__
    return type(given).__name__
