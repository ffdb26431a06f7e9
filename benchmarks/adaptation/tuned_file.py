"""`dynamaze bench tuned`: the file of tuned arguments, from the stored table of the search."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import tyro

from dynamaze.agents.tuned import TUNED_FILE
from dynamaze.benchmarks.adaptation.agent_factories import constructor_of
from dynamaze.benchmarks.adaptation.suite_agents import SUITE_AGENTS
from dynamaze.benchmarks.adaptation.suites import find_setting
from dynamaze.benchmarks.adaptation.tuning import TuningConfig, best_candidates
from dynamaze.benchmarks.harness.analysis.table import Table, distinct
from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.benchmarks.harness.experiment import read_tables
from dynamaze.common.atomic_files import write_atomically
from dynamaze.common.options import OutputFile


@dataclass(frozen=True)
class TunedConfig:
    """Write the file of tuned arguments, which `DynaQ.from_tuned` reads."""

    results: Path = Path()
    """Parent of the folder `results/` with the table of `dynamaze bench run adaptation-tuning`."""
    output: Annotated[OutputFile, tyro.conf.arg(help_behavior_hint="(default: the package's)")] = (
        TUNED_FILE
    )
    """The file."""


def main(config: TunedConfig) -> None:
    """Write the file and print its path.

    Raises:
        FileNotFoundError: if there is no table.
        ValueError: for a table of another version.
        OSError: if the file cannot be written.
    """
    table = read_tables(config.results / "results", TuningConfig.name)[TuningConfig.name]
    write_atomically(config.output, tuned_text(table).encode())
    print(config.output.resolve())


def tuned_text(table: Table) -> str:
    """Return the content of the file."""
    best = best_candidates(table)
    head = best[0]
    options = f"--candidates {head['candidates']} --runs {head['runs']} --seed {head['seed']}"
    settings = " ".join(distinct(table, "setting"))
    parts = [
        "# Arguments of agents with the smallest mean exact regret; made by `dynamaze bench tuned` "
        "from\n"
        f"# `dynamaze bench run adaptation-tuning {options}\n# --setting {settings}`:\n"
        f"# random search, at most {head['candidates']} candidates of {head['runs']} runs for each "
        "agent in each setting."
    ]
    for row in best:
        make: Any = SUITE_AGENTS[row["agent"]].make
        assert isinstance(make, partial)
        gamma = find_setting(row["setting"]).gamma
        arguments = {**make.keywords, **json.loads(row["arguments"]), "gamma": gamma}
        parts.append(
            "\n".join(
                (
                    "[[tuned]]",
                    f"setting = {json.dumps(row['setting'])}",
                    f"environment = {json.dumps(row['environment'])}",
                    f"agent = {json.dumps(row['agent'])}",
                    f"kind = {json.dumps(constructor_of(make).__name__)}",
                    f"arguments = {toml_table(arguments)}",
                )
            )
        )
    return "\n\n".join(parts) + "\n"


def toml_table(arguments: dict[str, Any]) -> str:
    """Return numbers and text as an inline table of TOML, whose syntax for these is JSON's."""
    return (
        "{" + ", ".join(f"{name} = {json.dumps(value)}" for name, value in arguments.items()) + "}"
    )


if __name__ == "__main__":
    run_script(__file__)
