"""Adaptation suite: agents in the environments that change of `adaptation-v1`, by one command.

`dynamaze bench run adaptation` runs the suite's agents; `--agent` adds one's own. The settings are
in `settings`, the agents in `suite_agents`, the definitions of all numbers in `metrics`, and the
tables in `suite_tables`. Run i of every agent in a setting has the same seed, and in generated
mazes the same level, so that differences are paired.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import numpy as np

from dynamaze.agents.tuned import tuned_agents
from dynamaze.benchmarks.adaptation import suite_tables
from dynamaze.benchmarks.adaptation.settings import SUITE, SuiteSetting
from dynamaze.benchmarks.adaptation.suite_agents import SUITE_AGENTS, TUNED
from dynamaze.benchmarks.adaptation.suite_runs import (
    NUMBERS,
    RunAgent,
    curve_steps,
    fitted,
    refusal,
    trial,
)
from dynamaze.benchmarks.adaptation.suites import SUITES, find_setting
from dynamaze.benchmarks.harness.agent_runs.resolver import named_text, resolve_agent
from dynamaze.benchmarks.harness.analysis.intervals import mean_interval
from dynamaze.benchmarks.harness.analysis.table import (
    Lines,
    Table,
    Tables,
    from_rows,
    make_table,
    stack,
)
from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.benchmarks.harness.curves import interval_columns
from dynamaze.benchmarks.harness.experiment import ExperimentConfig
from dynamaze.benchmarks.harness.running.runner import Runner, Setting
from dynamaze.common.options import Runs, Seconds
from dynamaze.common.validation import checked_choice

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Pair(NamedTuple):
    """An agent in a setting."""

    agent: RunAgent
    setting: SuiteSetting
    runs: int
    refusal: str  # why it cannot serve, or ""

    @property
    def name(self) -> str:
        """The agent's name in the tables."""
        return self.agent.name


@dataclass(frozen=True)
class AdaptationConfig(ExperimentConfig):
    """Adaptation suite: agents in the environments that change of adaptation-v1."""

    name: ClassVar[str] = suite_tables.NAME
    title: ClassVar[str] = "Adaptation suite"
    seconds_per_run: ClassVar[float] = 0.04
    interval_kind: ClassVar[str] = "time"
    swept: ClassVar[tuple[str, ...]] = (
        *("agent", "baselines", "tuned", "slow", "slow_runs", "suite", "setting"),
    )
    failures: ClassVar[str] = f"{suite_tables.NAME}_failures"

    agent: tuple[str, ...] = ()
    """Agents of your own beside the suite's: module:name or path/file.py:name, a file
    (.safetensors, .onnx, .npz, .zip), or a name with arguments, "DynaQ(planning_steps=10)"; also
    LABEL=AGENT."""
    baselines: tuple[str, ...] = ()
    """Agents of the suite, by name (an unknown one lists them); by default all that are not
    slow."""
    tuned: bool = False
    """Include agents with tuned arguments, where there are some (`dynamaze.agents.tuned`)."""
    slow: bool = False
    """Include the suite's slow agents: learned models and Stable-Baselines3."""
    suite: Literal["adaptation-v1", "adaptation-gym-v1"] = "adaptation-v1"
    """List of settings: mazes, or other environments of Gymnasium."""
    setting: tuple[str, ...] = ()
    """Settings, by name (an unknown one lists them), or module:name of your own; by default all of
    the suite."""
    runs: Runs = 100
    """Runs of each agent in each setting, the first of those of the setting; at most these."""
    slow_runs: Runs = 10
    """Runs of each slow agent."""
    run_limit: Seconds | None = 600.0
    """Seconds after which a run is stopped and counts as failed."""

    @cached_property
    def chosen(self) -> Sequence[SuiteSetting]:
        """The settings.

        Raises:
            ValueError: for an unknown one.
        """
        return [find_setting(text) for text in self.setting or SUITES[self.suite]]

    @cached_property
    def pairs(self) -> Sequence[Pair]:
        """Each agent in each setting, and whether it can serve.

        Raises:
            ValueError: for an unknown agent or setting.
        """
        own = [RunAgent(name, resolve_agent(text)) for name, text in map(named_text, self.agent)]
        listed = [
            checked_choice("baselines", name, SUITE_AGENTS)
            for name in self.baselines
            or (name for name, agent in SUITE_AGENTS.items() if self.slow or not agent.is_slow)
        ]
        pairs = []
        for setting in self.chosen:
            agents = [SUITE_AGENTS[name].for_run(name, setting.gamma) for name in listed]
            if self.tuned:
                agents += tuned_agents_of(setting, listed)
            for agent, reason in (
                *((each, refusal(each, setting)) for each in agents),
                *(fitted(each, setting) for each in own),
            ):
                pairs.append(Pair(agent, setting, self._runs_of(agent.name, setting), reason))
        return pairs

    @property
    def served(self) -> Sequence[Pair]:
        """The pairs that can be run."""
        return [pair for pair in self.pairs if not pair.refusal]

    @property
    def settings(self) -> Sequence[Setting]:
        """Runs of each agent in each setting that it can serve."""
        return [
            Setting((pair.agent, pair.setting), pair.runs, pair.name, pair.setting.env_id)
            for pair in self.served
        ]

    @property
    def caption(self) -> str:
        """Explanation of the numbers, below the summary."""
        return suite_tables.CAPTION

    def check(self) -> None:
        """Check the options before anything runs.

        Raises:
            ValueError: for an option with a value that it cannot have, or an unknown agent or
                setting.
        """
        super().check()
        if self.seed:
            raise ValueError(f"seed={self.seed}; expected 0: the suite's seeds are fixed")
        if self.plot_only:
            return
        for kind, names in (
            ("settings", [setting.name for setting in self.chosen]),
            ("agents", [pair.name for pair in self.pairs if pair.setting == self.chosen[0]]),
        ):
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise ValueError(f"{twice!r} is there twice in {kind}; expected different names")
        most = max(AdaptationConfig.runs, *(setting.runs for setting in self.chosen))
        if self.runs > most:
            raise ValueError(f"runs={self.runs}; expected at most {most}, those of the settings")
        if not self.served:
            first = self.pairs[0]
            raise ValueError(f"{first.name!r} cannot serve {first.setting.name}: {first.refusal}")

    def _runs_of(self, agent: str, setting: SuiteSetting) -> int:
        is_slow = agent in SUITE_AGENTS and SUITE_AGENTS[agent].is_slow
        return min(self.slow_runs if is_slow else self.runs, self.runs, setting.runs)

    def __getstate__(self) -> dict[str, Any]:
        """Return the options alone: a run gets its agent and setting as arguments."""
        return {name: value for name, value in vars(self).items() if name not in DERIVED}


DERIVED = ("chosen", "pairs")


def tuned_agents_of(setting: SuiteSetting, names: Sequence[str]) -> list[RunAgent]:
    """Return those of some agents of the suite that have tuned arguments for a setting."""
    found = {
        entry.agent: entry.arguments
        for entry in tuned_agents()
        if setting.suite == SUITE and entry.setting == setting.name
    }
    return [
        SUITE_AGENTS[name].for_run(name + TUNED, **found[name]) for name in names if name in found
    ]


def run(config: AdaptationConfig, runner: Runner | None = None) -> Tables:
    """Run all agents in all settings that they can serve.

    Args:
        config: the settings.
        runner: runs the runs; by default one after another, in this process.

    Returns:
        - adaptation: a row for each run without an error: suite, setting, agent, run, the numbers
          of `trial`, and kind of the run.
        - adaptation_curves: mean cumulative regret with an interval at 100 steps.
        - adaptation_unserved: agent, setting and reason where an agent cannot serve.
        - adaptation_failures: agent, environment, run and error of each failed run.
        - adaptation_time: CPU seconds of each run.
    """
    config.check()
    runner = runner or Runner()
    results = runner.run(trial, config, failures="keep")
    rows, curves, seconds = [], [], []
    for pair, tables in zip(config.served, results, strict=True):
        done = [(number, table) for number, table in enumerate(tables) if table is not None]
        label = {"suite": pair.setting.suite, "setting": pair.setting.name, "agent": pair.name}
        for number, table in done:
            numbers = {name: table[name][0] for name in NUMBERS}
            observation = str(pair.agent.observation or "")
            kind = str(table["kind"][0])
            rows.append(
                {**label, "run": number, **numbers, "observation": observation, "kind": kind}
            )
            seconds.append({**label, "run": number, "seconds": table["seconds"][0]})
        if len(done) > 1:
            curves.append(_curve(pair, [table for _, table in done]))
    empty = suite_tables.empty_table
    unserved = [
        {"setting": pair.setting.name, "agent": pair.name, "reason": pair.refusal}
        for pair in config.pairs
        if pair.refusal
    ]
    failures = [
        {
            "agent": pair.name,
            "environment": pair.setting.name,
            "run": each.number,
            "error": (each.error.strip().splitlines() or ["unknown"])[-1],
        }
        for pair, failed in zip(config.served, runner.failures, strict=True)
        for each in failed
    ]
    name = config.name
    return {
        name: from_rows(rows) if rows else empty(*suite_tables.COLUMNS),
        f"{name}_curves": stack(curves) if curves else empty("setting", "agent"),
        f"{name}_unserved": from_rows(unserved) if unserved else empty(*suite_tables.UNSERVED),
        f"{name}_failures": from_rows(failures) if failures else empty(*suite_tables.FAILURES),
        f"{name}_time": from_rows(seconds) if seconds else empty(*suite_tables.TIME),
    }


def _curve(pair: Pair, tables: Sequence[Table]) -> Table:
    samples = np.concatenate([table["curve"] for table in tables])
    return make_table(
        setting=pair.setting.name,
        agent=pair.name,
        step=curve_steps(pair.setting.steps),
        **interval_columns("regret", mean_interval(samples)),
        runs=np.array(len(tables)),
    )


def plot(tables: Tables, config: AdaptationConfig) -> Figure:
    """Plot the cumulative regret of each agent in each setting, and the normalised regret."""
    return suite_tables.plot(tables)


def summary(tables: Tables, config: AdaptationConfig) -> dict[str, Lines]:
    """Return the tables by title: over all settings, of each, the prices, and what was not run."""
    return suite_tables.summary(tables)


if __name__ == "__main__":
    run_script(__file__)
