"""Tables and picture of the adaptation suite, from its stored results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dynamaze.benchmarks.adaptation.ranking import Ranking, rank
from dynamaze.benchmarks.adaptation.settings import OWN
from dynamaze.benchmarks.adaptation.suite_agents import ORACLE, RANDOM, SUITE_AGENTS, TUNED
from dynamaze.benchmarks.adaptation.suite_runs import NUMBERS
from dynamaze.benchmarks.adaptation.suites import LISTED, SUITES
from dynamaze.benchmarks.harness.analysis.intervals import (
    FEW_RUNS_NOTE,
    IntervalEstimate,
    few_runs,
    format_interval,
)
from dynamaze.benchmarks.harness.analysis.plots import (
    EVENT,
    REFERENCE,
    curve_styles,
    legend_below,
    panels,
)
from dynamaze.benchmarks.harness.analysis.statistics import censored_at, restricted_mean
from dynamaze.benchmarks.harness.analysis.summaries import mean_text, share_text
from dynamaze.benchmarks.harness.analysis.table import Lines, Table, Tables, distinct, rows_where
from dynamaze.benchmarks.harness.curves import draw_curve
from dynamaze.common.arrays import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


NAME = "adaptation"

COLUMNS = ("suite", "setting", "agent", "run", *NUMBERS, "observation", "kind")
UNSERVED = ("setting", "agent", "reason")
FAILURES = ("agent", "environment", "run", "error")
TIME = ("suite", "setting", "agent", "run", "seconds")

SETTING_COLUMNS = ("agent", "n", "regret", "a step", "rank", "halves", "reward", "model error")
CHANGE_COLUMNS = ("agent", "n", "steps to recover", "never", "reward before", "shortcut")
REPORT_COLUMNS = ("agent", "n", "never reported", "delay", "false alarms")
"""Columns of the tables of a setting: of all its steps, its last change, and reports of changes."""

SILENT = "does not report"
"""Cell of an agent without reports of changes."""

KIND = "time"
"""Kind of the interval of regrets: some runs recover, others do not."""

CAPTION = (
    "n: runs without an error; mean and Student's 95% interval. Regret: exact, against the optimal "
    "policy of the maze as it is at each step. Rank: by regret; agents whose paired difference has "
    "an interval that contains 0 share ranks (95% for all differences of a table together). "
    "Halves: rank by the runs of even and of odd numbers alone. Recovery: after the last change, 3 "
    "of the last 5 episodes lose at most 5% of the optimal return; steps: restricted mean. "
    "Reports: share of runs that never report the last change, steps to its first report, and all "
    "other reports. "
    "Updates: of planning, or simulations, for each real step. CPU: median. "
    f"{FEW_RUNS_NOTE}."
)
"""Explanation of the tables."""

NONE = ""
"""Cell of a number that is not defined or unknown."""


def empty_table(*names: str) -> Table:
    """Return a table without rows."""
    return {name: np.array([], dtype=np.str_) for name in names}


def check_version(table: Table) -> None:
    """Check that a stored table is of this version of the suite.

    Raises:
        ValueError: for another version.
    """
    for suite in distinct(table, "suite"):
        if suite not in (*SUITES, OWN):
            raise ValueError(f"results of suite {suite}; expected {' or '.join(SUITES)}")


def told_to(agent: str, table: Table) -> str:
    """Return what an agent knows that others do not, also by what it observes."""
    listed = SUITE_AGENTS.get(agent.removesuffix(TUNED))
    if listed is not None:
        return listed.told
    observed = [each for each in distinct(rows_where(table, agent=agent), "observation") if each]
    return ", ".join(f"observes {each}" for each in observed)


def label_of(agent: str) -> str:
    """Return the label of an agent; that of one's own is its name."""
    if agent in SUITE_AGENTS:
        return SUITE_AGENTS[agent].label
    name = agent.removesuffix(TUNED)
    return f"{SUITE_AGENTS[name].label}, tuned" if name in SUITE_AGENTS else agent


# -- numbers -----------------------------------------------------------------------------------


def complete_agents(rows: Table) -> list[str]:
    """Return the agents of a setting that have the most runs of all, with known regrets."""
    counts = {agent: len(rows_where(rows, agent=agent)["run"]) for agent in distinct(rows, "agent")}
    most = max(counts.values())
    return [
        agent
        for agent, count in counts.items()
        if count == most and np.isfinite(rows_where(rows, agent=agent)["regret"]).all()
    ]


def setting_ranking(rows: Table) -> tuple[list[str], Ranking | None]:
    """Return the agents of a setting that are ranked, and their ranks; None for too few runs."""
    agents = complete_agents(rows)
    regrets = [rows_where(rows, agent=agent)["regret"] for agent in agents]
    if not agents or len(regrets[0]) < 4:
        return [], None
    return agents, rank(np.stack(regrets))


def normalised_regrets(table: Table) -> dict[str, FloatArray]:
    """Return (runs,) the mean over the settings of regret as a fraction of the random policy's.

    Of the listed settings in which the random policy was run, with as many runs as that of all
    which has the fewest, and of the agents that served all of them in so many runs. 0 is the
    optimal policy, 1 as bad as random actions.
    """
    by_setting: list[tuple[Table, float]] = []
    for setting in distinct(table, "setting"):
        rows = rows_where(table, setting=setting)
        chance = rows_where(rows, agent=RANDOM)["regret"]
        if setting in LISTED and len(chance) and np.isfinite(chance).all():
            by_setting.append((rows, float(chance.mean())))
    if not by_setting:
        return {}
    runs = min(len(rows_where(rows, agent=RANDOM)["run"]) for rows, _ in by_setting)
    found = {}
    for agent in distinct(table, "agent"):
        parts = [rows_where(rows, agent=agent)["regret"] / chance for rows, chance in by_setting]
        if all(len(part) >= runs for part in parts):
            found[agent] = np.mean([part[:runs] for part in parts], axis=0)
    return found


def recovery_interval(rows: Table) -> tuple[FloatArray, IntervalEstimate | None]:
    """Return (runs,) 1 for runs that never recovered, and the restricted mean of the steps.

    The mean is None with fewer than 2 runs, or where none recovered. Times count up to the shortest
    horizon of the runs.
    """
    times, horizon = rows["recovery"], float(rows["horizon"].min())
    never = (times > horizon).astype(np.float64)
    if len(times) < 2 or never.all():
        return never, None
    return never, restricted_mean(*censored_at(times, horizon), horizon)


# -- summary -----------------------------------------------------------------------------------


def summary(tables: Tables) -> dict[str, Lines]:
    """Return the tables by title."""
    table, times = tables[NAME], tables[f"{NAME}_time"]
    check_version(table)
    sections: dict[str, Lines] = {}
    for suite in SUITES:
        overall = overall_lines(rows_where(table, suite=suite))
        if len(overall) > 1:
            sections[f"{suite}: regret as a fraction of the random policy's"] = overall
    for setting in distinct(table, "setting"):
        rows = rows_where(table, setting=setting)
        sections |= setting_sections(setting, rows)
    sections["Halves of the runs"] = half_lines(table)
    sections["Prices"] = price_lines(table, times)
    unserved = tables[f"{NAME}_unserved"]
    if len(unserved["agent"]):
        sections["Agents that cannot serve a setting"] = unserved_lines(unserved)
    failures = tables[f"{NAME}_failures"]
    if len(failures["agent"]):
        sections["Failed runs"] = failure_lines(failures)
    return sections


def overall_lines(table: Table) -> Lines:
    """Return a line for each agent: the mean of its normalised regrets and its rank."""
    regrets = normalised_regrets(table)
    lines: Lines = [("agent", "n", "normalised regret", "rank", "halves", "told")]
    ranks = _ranks(list(regrets), list(regrets.values()))
    for agent, values in sorted(regrets.items(), key=lambda item: float(item[1].mean())):
        lines.append(
            (
                label_of(agent),
                str(len(values)),
                mean_text(values, 3, kind=KIND),
                *ranks[agent],
                told_to(agent, table),
            )
        )
    return lines


def _ranks(agents: Sequence[str], results: Sequence[FloatArray]) -> dict[str, tuple[str, str]]:
    """Return the rank of each agent and its ranks in the halves, as text."""
    if not agents or len(results[0]) < 4:
        return dict.fromkeys(agents, (NONE, NONE))
    found = rank(np.stack(results))
    return {
        agent: (found.text(at), "{}, {}".format(*found.halves[:, at].tolist()))
        for at, agent in enumerate(agents)
    }


def setting_sections(setting: str, rows: Table) -> dict[str, Lines]:
    """Return the table of a setting, and where it changes those of its change and its reports."""
    agents = setting_ranking(rows)[0]
    ranks = _ranks(agents, [rows_where(rows, agent=agent)["regret"] for agent in agents])
    names = sorted(distinct(rows, "agent"), key=lambda agent: _order_key(rows, agent))
    lines: Lines = [SETTING_COLUMNS]
    changes: Lines = [CHANGE_COLUMNS]
    reports: Lines = [REPORT_COLUMNS]
    for agent in names:
        own = rows_where(rows, agent=agent)
        count = str(len(own["run"]))
        lines.append(
            (
                label_of(agent),
                count,
                _mean(own["regret"], 1),
                _plain(own["regret_per_step"], 4),
                *ranks.get(agent, (NONE, NONE)),
                _plain(own["reward"], 1),
                _plain(own["model_error"], 3),
            )
        )
        changes.append((label_of(agent), count, *_change_cells(own)))
        reports.append((label_of(agent), count, *_report_cells(own)))
    sections = {setting: lines}
    if any(any(line[2:]) for line in changes[1:]):
        sections[change_title(setting)] = changes
    if not np.isnan([rows["horizon"], rows["false_alarms"]]).all():
        sections[report_title(setting)] = reports
    return sections


def change_title(setting: str) -> str:
    """Return the title of the table of a setting's last change."""
    return f"{setting}: the last change"


def report_title(setting: str) -> str:
    """Return the title of the table of the reports of a setting's last change."""
    return f"{setting}: reports of the last change"


def _order_key(rows: Table, agent: str) -> tuple[float, float]:
    own = rows_where(rows, agent=agent)
    regret = float(own["regret"].mean())
    return (np.inf if np.isnan(regret) else regret, -float(own["reward"].mean()))


def _change_cells(own: Table) -> tuple[str, str, str, str]:
    """Return steps to recover, share that never does, reward before, and share with shortcut."""
    steps = never = NONE
    if not np.isnan(own["recovery"]).any():
        lost, mean = recovery_interval(own)
        never = share_text(lost)
        if mean is not None:
            steps = format_interval(mean, 0, few=few_runs("time", len(lost)))
    shortcut = NONE if np.isnan(own["shortcut"]).any() else share_text(own["shortcut"])
    return steps, never, _plain(own["reward_before"], 4), shortcut


def _report_cells(own: Table) -> tuple[str, str, str]:
    """Return the share of changes that are never reported, the delay, and the false alarms."""
    if np.isnan(own["false_alarms"]).all():
        return SILENT, NONE, NONE
    if np.isnan([own["delay"], own["horizon"]]).any():  # it never stops changing
        return NONE, NONE, _mean(own["false_alarms"], 1)
    horizon = float(own["horizon"].min())
    never = own["delay"] > horizon
    if len(never) < 2 or never.all():
        return share_text(never), NONE, _mean(own["false_alarms"], 1)
    mean = restricted_mean(*censored_at(own["delay"], horizon), horizon)
    return share_text(never), format_interval(mean, 0), _mean(own["false_alarms"], 1)


def half_lines(table: Table) -> Lines:
    """Return for each setting whether the ranks agree in two disjoint halves of the runs."""
    lines: Lines = [("setting", "agents", "ties", "order in the halves of the runs")]
    for setting in distinct(table, "setting"):
        agents, found = setting_ranking(rows_where(table, setting=setting))
        if found is None:
            lines.append((setting, str(len(agents)), NONE, "not ranked"))
            continue
        ties = (int(found.tied.sum()) - len(agents)) // 2
        swapped = [f"{label_of(agents[i])} and {label_of(agents[j])}" for i, j in found.reversals]
        same = (found.halves[0] == found.halves[1]).all()
        text = "the same" if same else "the same but for ties"
        lines.append(
            (setting, str(len(agents)), str(ties), f"differs: {'; '.join(swapped)}")
            if swapped
            else (setting, str(len(agents)), str(ties), text)
        )
    return lines


def price_lines(table: Table, times: Table) -> Lines:
    """Return a line for each agent: what a step costs, over all settings."""
    lines: Lines = [("agent", "settings", "steps", "updates a step", "CPU, µs a step", "runs")]
    for agent in distinct(table, "agent"):
        own, took = rows_where(table, agent=agent), rows_where(times, agent=agent)
        kinds = dict.fromkeys(str(kind).partition(":")[0] for kind in own["kind"])
        micros = 1e6 * took["seconds"] / own["steps"]
        lines.append(
            (
                label_of(agent),
                str(len(distinct(own, "setting"))),
                f"{int(own['steps'].sum()):,}",
                _plain(own["updates"] / own["steps"], 1),
                f"{np.median(micros):,.0f}",
                ", ".join(kinds),
            )
        )
    return lines


def unserved_lines(unserved: Table) -> Lines:
    """Return the reasons why agents cannot serve settings, one line for settings with the same."""
    found: dict[tuple[str, str], list[str]] = {}
    for setting, agent, reason in zip(*(unserved[name] for name in UNSERVED), strict=True):
        found.setdefault((str(agent), str(reason)), []).append(str(setting))
    lines: Lines = [("agent", "settings", "reason")]
    lines += [
        (label_of(agent), ", ".join(settings), reason)
        for (agent, reason), settings in found.items()
    ]
    return lines


def failure_lines(failures: Table) -> Lines:
    """Return the failed runs and their errors."""
    columns = (failures[name].tolist() for name in FAILURES)
    return [FAILURES, *(tuple(map(str, line)) for line in zip(*columns, strict=True))]


def _mean(samples: FloatArray, digits: int) -> str:
    return NONE if np.isnan(samples).any() else mean_text(samples, digits, kind=KIND)


def _plain(samples: FloatArray, digits: int) -> str:
    """Return the mean of the samples that are known; nothing if none is."""
    known = samples[~np.isnan(samples)]
    return f"{known.mean():.{digits}f}" if known.size else NONE


# -- picture -----------------------------------------------------------------------------------


def plot(tables: Tables) -> Figure:
    """Plot the mean cumulative regret in each setting.

    Agents with less than half of the most runs, the slow ones, are in the tables alone: their wide
    intervals would cover the others.
    """
    check_version(tables[NAME])
    curves = tables[f"{NAME}_curves"]
    has_enough = 2 * curves["runs"] >= curves["runs"].max(initial=0)
    curves = {name: column[has_enough] for name, column in curves.items()}
    settings = [
        setting
        for setting in distinct(curves, "setting")
        if not np.isnan(rows_where(curves, setting=setting)["regret_mean"]).all()
    ]
    cols = min(max(len(settings), 1), 4)
    rows = max(-(-len(settings) // cols), 1)
    figure, axes = panels(rows, cols, size=(4.2 * cols, 3.4 * rows + 1.5))
    styles = _styles(distinct(curves, "agent"))
    for each, setting in zip(axes.flat, settings, strict=False):
        _plot_setting(each, setting, rows_where(curves, setting=setting), styles)
    for each in axes.flat[len(settings) :]:
        each.set_axis_off()
    if settings:
        legend_below(figure, axes[0, 0], 4)
    suites = ", ".join(distinct(tables[NAME], "suite"))
    figure.suptitle(f"{suites}: mean cumulative regret, 95% interval")
    return figure


def _styles(agents: Sequence[str]) -> dict[str, dict[str, Any]]:
    references = [agent for agent in agents if agent in (RANDOM, ORACLE)]
    others = curve_styles(agent for agent in agents if agent not in references)
    return {**others, **{agent: dict(REFERENCE) for agent in references}}


def _plot_setting(
    axes: Axes, setting: str, curves: Table, styles: dict[str, dict[str, Any]]
) -> None:
    for agent in distinct(curves, "agent"):
        curve = rows_where(curves, agent=agent)
        if not np.isnan(curve["regret_mean"]).any():
            draw_curve(axes, "step", curve, "regret", label=label_of(agent), **styles[agent])
    listed = LISTED.get(setting)
    for change in (listed.change_steps or ()) if listed else ():
        axes.axvline(change, **EVENT)
    axes.set(title=f"{setting}, n={curves['runs'].max()}", xlabel="Steps", ylim=(0, None))
