"""Search for the arguments of agents in the settings of the adaptation suite.

Random search: of the grid of an agent's arguments so many candidates are drawn, without
replacement, and each is run as often; the one with the smallest mean regret is kept. Number of
candidates, runs and seeds are the same for all agents and settings. The suite's own arguments are
the first candidate. Seeds and levels are not those of the suite, so that its results
(`dynamaze bench run adaptation --tuned`) are not biased by the choice; those of the search are, as
the smallest of several means.

Planning steps are no argument of the search: a larger number costs more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np

from dynamaze.benchmarks.adaptation.settings import OWN, SUITE, SuiteSetting
from dynamaze.benchmarks.adaptation.suite_agents import SUITE_AGENTS
from dynamaze.benchmarks.adaptation.suite_runs import RunAgent, record_run
from dynamaze.benchmarks.adaptation.suite_tables import label_of
from dynamaze.benchmarks.adaptation.suites import find_setting
from dynamaze.benchmarks.harness.analysis.plots import GREY, panels, points_with_bars
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
from dynamaze.benchmarks.harness.curves import interval_of, mean_columns
from dynamaze.benchmarks.harness.experiment import ExperimentConfig
from dynamaze.benchmarks.harness.running.runner import Runner, Setting, column, derive_seed
from dynamaze.benchmarks.harness.store.description import canonical_json
from dynamaze.common.options import Range, Runs, Seed
from dynamaze.common.validation import checked_choice

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIRST_RUN = 10_000
"""Number of the first run of the search: its level is none of the suite's."""

GREED = {"learning_rate": (0.1, 0.2, 0.5, 1.0), "epsilon": (0.0, 0.01, 0.03, 0.1, 0.2)}
START = {"initial_value": (0.0, 0.5, 1.0)}
MODELS = ("latest_outcome", "maximum_likelihood", "forgetting_maximum_likelihood")

SPACES: Mapping[str, Mapping[str, Sequence[Any]]] = {
    "q_learning": {**GREED, **START},
    "dyna_q": {**GREED, **START, "model": MODELS},
    "dyna_q_plus": {**GREED, **START, "kappa": (1e-4, 3e-4, 1e-3, 3e-3)},
    "prioritised_sweeping": {"epsilon": GREED["epsilon"], **START, "model": MODELS},
    "dynamic_programming": {"epsilon": GREED["epsilon"], **START, "model": MODELS},
}
"""Agent of the suite -> values of its arguments."""

TUNED_SETTINGS = (
    *("blocking", "shortcut", "drifting_slow", "drifting", "drifting_fast"),
    *("slip", "goal_moves", "loca", "partially_seen", "generated"),
)
"""Settings with an exact regret."""


@dataclass(frozen=True)
class TuningConfig(ExperimentConfig):
    """Search for the arguments of agents in the settings of the adaptation suite."""

    name: ClassVar[str] = "adaptation_tuning"
    title: ClassVar[str] = "Tuning for the adaptation suite"
    seconds_per_run: ClassVar[float] = 0.02
    interval_kind: ClassVar[str] = "time"
    swept: ClassVar[tuple[str, ...]] = ("agents", "setting", "candidates")

    agents: tuple[str, ...] = tuple(SPACES)
    """The agents (an unknown one lists them)."""
    setting: tuple[str, ...] = TUNED_SETTINGS
    """Settings, by name."""
    candidates: Annotated[int, Range(1, limit=10_000)] = 12
    """Candidates of each agent in each setting."""
    runs: Runs = 8
    """Runs of each candidate."""
    seed: Seed = 1
    """Seed of the search; 0 is the suite's."""

    @cached_property
    def chosen(self) -> Sequence[SuiteSetting]:
        """The settings.

        Raises:
            ValueError: for an unknown one, or one without exact regret.
        """
        return [
            find_setting(checked_choice("setting", text.rpartition("/")[2], TUNED_SETTINGS))
            for text in self.setting
        ]

    @property
    def settings(self) -> Sequence[Setting]:
        """Runs of each candidate of each agent in each setting."""
        return [
            Setting(
                (candidate_agent(name, setting, arguments), setting),
                self.runs,
                f"{setting.name}, {name}, {candidate_text(arguments)}",
                setting.env_id,
            )
            for setting in self.chosen
            for name in self.agents
            for arguments in draw_candidates(name, self.candidates, self.seed)
        ]

    @property
    def caption(self) -> str:
        """Explanation of the numbers, below the summary."""
        return (
            f"{super().caption}; best of at most {self.candidates} candidates, seed {self.seed}, "
            "whose own regret is too small: it was chosen by it"
        )

    def check(self) -> None:
        """Check the options before anything runs.

        Raises:
            ValueError: for an option with a value that it cannot have.
        """
        super().check()
        if self.seed == 0:
            raise ValueError("seed=0; expected another than that of the suite")
        for name in self.agents:
            checked_choice("agents", name, SPACES)
        _ = self.chosen

    def __getstate__(self) -> dict[str, Any]:
        """Return the options alone."""
        return {name: value for name, value in vars(self).items() if name != "chosen"}


def draw_candidates(agent: str, number: int, seed: int) -> list[dict[str, Any]]:
    """Return different arguments of an agent: none, for its own, and then those that are drawn.

    Args:
        agent: a name of `SPACES`.
        number: of candidates, at most; the grid may have fewer.
        seed: of the draw, the same in all settings.
    """
    space = SPACES[agent]
    grid = [dict(zip(space, values, strict=True)) for values in product(*space.values())]
    rng = np.random.default_rng(derive_seed(seed, list(SPACES).index(agent)))
    order = rng.permutation(len(grid))[: number - 1]
    return [{}, *(grid[place] for place in order)]


def candidate_agent(name: str, setting: SuiteSetting, arguments: Mapping[str, Any]) -> RunAgent:
    """Return an agent of the suite with other arguments."""
    return SUITE_AGENTS[name].for_run(name, setting.gamma, **arguments)


def candidate_text(arguments: Mapping[str, Any]) -> str:
    """Return arguments as JSON, which the table holds."""
    return canonical_json(dict(arguments))


def run(config: TuningConfig, runner: Runner | None = None) -> Tables:
    """Run all candidates.

    Args:
        config: the settings.
        runner: runs the runs; by default one after another, in this process.

    Returns:
        One table, a row for each candidate: suite, setting, environment (the id, where it alone
        makes the environment), agent, arguments (JSON), candidates, seed, regret_mean, regret_low,
        regret_high and runs.
    """
    config.check()
    results = (runner or Runner()).run(trial, config)
    rows = []
    for setting, tables in zip(config.settings, results, strict=True):
        agent, where = setting.arguments
        rows.append(
            make_table(
                suite=where.suite,
                setting=where.name,
                environment=where.env_id if not where.options else "",
                agent=agent.name,
                arguments=setting.label.split(", ", 2)[2],
                candidates=config.candidates,
                seed=config.seed,
                **mean_columns(regret=column(tables, "regret")[:, 0]),
                runs=setting.runs,
            )
        )
    return {config.name: stack(rows)}


def trial(config: TuningConfig, agent: RunAgent, setting: SuiteSetting, number: int) -> Table:
    """Run one candidate once."""
    record = record_run(agent, setting, FIRST_RUN + number, derive_seed(config.seed, number))
    return {"regret": np.array([record.regrets.sum()])}


def best_candidates(table: Table) -> list[dict[str, Any]]:
    """Return for each setting and agent the row with the smallest mean regret, the first of equals.

    Raises:
        ValueError: for results of another version of the suite.
    """
    found = []
    for suite in distinct(table, "suite"):
        if suite not in (SUITE, OWN):
            raise ValueError(f"results of suite {suite}; expected {SUITE}")
    for setting in distinct(table, "setting"):
        for agent in distinct(rows_where(table, setting=setting), "agent"):
            own = rows_where(table, setting=setting, agent=agent)
            place = int(own["regret_mean"].argmin())
            found.append({name: values[place].item() for name, values in own.items()})
    return found


# -- plot and summary --------------------------------------------------------------------------


def plot(tables: Tables, config: TuningConfig) -> Figure:
    """Plot the mean regret of each candidate by setting, a row of points for each agent."""
    table = tables[config.name]
    settings = distinct(table, "setting")
    cols = min(len(settings), 5)
    rows = -(-len(settings) // cols)
    figure, axes = panels(rows, cols, size=(3.4 * cols, 2.8 * rows), sharey=True)
    for each, setting in zip(axes.flat, settings, strict=False):
        own = rows_where(table, setting=setting)
        agents = distinct(own, "agent")
        for place, agent in enumerate(agents):
            rows_of = rows_where(own, agent=agent)
            spread = place + np.linspace(-0.3, 0.3, len(rows_of["runs"]))
            interval = interval_of(rows_of, "regret")
            points_with_bars(
                each, spread, interval, horizontal=True, fmt=".", color=GREY, capsize=0
            )
        each.set_yticks(range(len(agents)), labels=[label_of(agent) for agent in agents])
        each.set(title=setting, xlabel="Regret of a run", xlim=(0, None))
    for each in axes.flat[len(settings) :]:
        each.set_axis_off()
    figure.suptitle(f"{config.title}: candidates, 95% interval, n={table['runs'].max()}")
    return figure


def summary(tables: Tables, config: TuningConfig) -> Lines:
    """Return a line for each setting and agent: the regret of its own and of the best arguments."""
    table = tables[config.name]
    lines: Lines = [("setting", "agent", "n", "regret, suite's", "regret, best", "arguments")]
    for best in best_candidates(table):
        own = rows_where(table, setting=best["setting"], agent=best["agent"])
        lines.append(
            (
                best["setting"],
                label_of(best["agent"]),
                str(best["runs"]),
                f"{own['regret_mean'][0]:.1f}",
                f"{best['regret_mean']:.1f} [{best['regret_low']:.1f}, {best['regret_high']:.1f}]",
                best["arguments"].strip("{}") or "the suite's",
            )
        )
    return lines


if __name__ == "__main__":
    run_script(__file__)
