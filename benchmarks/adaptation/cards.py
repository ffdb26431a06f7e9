"""`dynamaze bench cards`: pages of the adaptation suite, from its stored tables.

A page with the table of all agents and the picture, and a card for each agent: what it is, what it
is told, its numbers in each setting, what it costs, and what it cannot serve. One's own agents, of
`dynamaze bench run adaptation --agent`, have theirs, too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from dynamaze.benchmarks.adaptation import suite_tables
from dynamaze.benchmarks.adaptation.agent_factories import constructor_of
from dynamaze.benchmarks.adaptation.settings import SETTINGS, SUITE, SuiteSetting
from dynamaze.benchmarks.adaptation.suite_agents import SUITE_AGENTS, TUNED
from dynamaze.benchmarks.adaptation.suite_tables import NAME, label_of
from dynamaze.benchmarks.harness.agent_runs.resolver import StoredAgent
from dynamaze.benchmarks.harness.analysis.plots import styled
from dynamaze.benchmarks.harness.analysis.table import Lines, Table, Tables, distinct, rows_where
from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.benchmarks.harness.experiment import figure_content, read_tables
from dynamaze.common.atomic_files import write_together
from dynamaze.common.options import OutputFolder
from dynamaze.distill.files.builtin_students import PREFIX

COMMAND = "dynamaze bench run adaptation"

INDEX = "README.md"


@dataclass(frozen=True)
class CardsConfig:
    """Write the pages of the adaptation suite: the table of all agents, and a card for each."""

    results: Path = Path()
    """Parent of the folder `results/` with the tables of `dynamaze bench run adaptation`."""
    output: OutputFolder = Path("docs/adaptation")
    """Folder for the pages."""


def main(config: CardsConfig) -> None:
    """Write the pages and print their paths.

    Raises:
        FileNotFoundError: if there are no tables.
        ValueError: for tables of another version.
        OSError: if a file cannot be written.
    """
    tables = read_tables(config.results / "results", NAME)
    suite_tables.check_version(tables[NAME])
    config.output.mkdir(parents=True, exist_ok=True)
    pages: dict[Path, bytes] = {
        config.output / name: text.encode() for name, text in make_pages(tables).items()
    }
    pages[config.output / f"{NAME}.png"] = figure_content(styled(suite_tables.plot, tables), dpi=80)
    main_page = config.output / INDEX
    write_together((main_page, pages.pop(main_page)), pages.items())
    for path in (main_page, *pages):
        print(path.resolve())


def make_pages(tables: Tables) -> dict[str, str]:
    """Return the text of each page by the name of its file."""
    agents = [*distinct(tables[NAME], "agent")]
    agents += [
        agent for agent in distinct(tables[f"{NAME}_unserved"], "agent") if agent not in agents
    ]
    pages = {INDEX: index_page(tables, agents)}
    for agent in agents:
        pages[file_of(agent)] = card(tables, agent)
    return pages


def file_of(agent: str) -> str:
    """Return the name of the file of an agent's card."""
    return re.sub(r"[^\w.-]", "_", agent)[:100] + ".md"


def index_page(tables: Tables, agents: list[str]) -> str:
    """Return the page with the tables of all agents."""
    parts = [
        f"# Adaptation suite: {SUITE}",
        f"Made by `dynamaze bench cards` from the tables of `{COMMAND}`; `--agent` adds your own.",
        "Cards: " + ", ".join(f"[{label_of(agent)}]({file_of(agent)})" for agent in agents) + ".",
        f"![Mean cumulative regret of each agent in each setting]({NAME}.png)",
    ]
    sections: Mapping[str, Lines] = suite_tables.summary(tables)
    parts += [f"## {title}\n\n{markdown(lines)}" for title, lines in sections.items()]
    parts += ["## The numbers", suite_tables.CAPTION, "## The settings", markdown(setting_lines())]
    return "\n\n".join(parts) + "\n"


def setting_lines() -> Lines:
    """Return a line for each setting of the suite."""
    lines: Lines = [("setting", "environment", "arguments", "steps", "changes at", "discount", "n")]
    for setting in SETTINGS.values():
        options = ", ".join(f"{name}={value!r}" for name, value in setting.options.items())
        lines.append(
            (
                setting.name,
                setting.env_id,
                f"`{options}`" if options else "",
                f"{setting.steps:,}",
                _change_text(setting),
                f"{setting.gamma:g}",
                str(setting.runs),
            )
        )
    return lines


def _change_text(setting: SuiteSetting) -> str:
    if setting.change_steps is None:
        return "drawn by the run"
    return ", ".join(map(str, setting.change_steps)) or "all the time"


def card(tables: Tables, agent: str) -> str:
    """Return the card of an agent."""
    table = tables[NAME]
    listed = SUITE_AGENTS.get(agent.removesuffix(TUNED))
    knows = suite_tables.told_to(agent, table)
    told = f" Unlike others it knows or sees more: {knows}." if knows else ""
    about = f"`{call_of(listed.make)}`" if listed else "An agent of one's own."
    if agent.endswith(TUNED) and listed:
        about += ", with the arguments of each setting in `agents/tuned.toml`."
    parts = [f"# {label_of(agent)}", f"{about}{told} One of the agents of [{SUITE}]({INDEX})."]
    overall = suite_tables.overall_lines(table)
    own = [line for line in overall[1:] if line[0] == label_of(agent)]
    if own:
        parts += ["Regret as a fraction of the random policy's, over all settings:"]
        parts += [markdown([overall[0], *own])]
    sections = {"By setting": _setting_rows(table, agent)}
    prices = suite_tables.price_lines(table, tables[f"{NAME}_time"])
    sections["Price"] = [prices[0], *(line for line in prices[1:] if line[0] == label_of(agent))]
    unserved = rows_where(tables[f"{NAME}_unserved"], agent=agent)
    if len(unserved["agent"]):
        sections["What it cannot serve"] = suite_tables.unserved_lines(unserved)
    failures = rows_where(tables[f"{NAME}_failures"], agent=agent)
    if len(failures["agent"]):
        sections["Failed runs"] = suite_tables.failure_lines(failures)
    parts += [f"## {title}\n\n{markdown(ls)}" for title, ls in sections.items() if len(ls) > 1]
    parts += [suite_tables.CAPTION]
    return "\n\n".join(parts) + "\n"


def _setting_rows(table: Table, agent: str) -> Lines:
    """Return a line for each setting with the numbers of all tables of it."""
    lines: Lines = []
    for setting in distinct(rows_where(table, agent=agent), "setting"):
        rows = rows_where(table, setting=setting)
        tables = suite_tables.setting_sections(setting, rows)
        cells: list[str] = []
        for columns, shown in (
            (suite_tables.SETTING_COLUMNS, tables[setting]),
            (suite_tables.CHANGE_COLUMNS, tables.get(suite_tables.change_title(setting), [])),
            (suite_tables.REPORT_COLUMNS, tables.get(suite_tables.report_title(setting), [])),
        ):
            own = next((line for line in shown[1:] if line[0] == label_of(agent)), None)
            cells += own[1 if not cells else 2 :] if own else [""] * (len(columns) - 2)
        lines.append((setting, *cells))
    heading = (
        *suite_tables.SETTING_COLUMNS[1:],
        *suite_tables.CHANGE_COLUMNS[2:],
        *suite_tables.REPORT_COLUMNS[2:],
    )
    return [("setting", *heading), *lines]


def call_of(make: Any) -> str:
    """Return the call that makes an agent of the suite, as text; the discount is the setting's."""
    kind = constructor_of(make)
    if isinstance(kind, StoredAgent):
        return f"{PREFIX}{kind.path.stem}"
    name = kind if isinstance(kind, str) else kind.__name__
    arguments = make.keywords if isinstance(make, partial) else {}
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})"


def markdown(lines: Lines) -> str:
    """Return lines as a table in Markdown."""
    rows = [[cell.replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines]
    rows.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    run_script(__file__)
