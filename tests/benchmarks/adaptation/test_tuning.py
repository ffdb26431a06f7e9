"""The search for arguments: candidates, seeds of their own, the choice, and the file."""

from __future__ import annotations

import json
import tomllib
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dynamaze.app import cli
from dynamaze.benchmarks.adaptation import tuned_file, tuning
from dynamaze.benchmarks.adaptation.settings import SETTINGS, run_seed
from dynamaze.benchmarks.adaptation.suite_agents import SUITE_AGENTS
from dynamaze.benchmarks.adaptation.suite_runs import refusal
from dynamaze.benchmarks.adaptation.tuning import SPACES, TuningConfig, draw_candidates, run
from dynamaze.benchmarks.harness.analysis.table import Table
from dynamaze.benchmarks.harness.running.runner import derive_seed

CONFIG = TuningConfig(
    agents=("q_learning", "dyna_q"), setting=("partially_seen",), candidates=3, runs=2
)


@pytest.fixture(scope="module")
def table() -> Table:
    return run(CONFIG)["adaptation_tuning"]


@pytest.mark.parametrize("agent", SPACES)
def test_candidates_are_different_points_of_the_grid(agent: str) -> None:
    first, *others = draw_candidates(agent, 12, 1)
    assert first == {}
    grid = [*product(*SPACES[agent].values())]
    drawn = [tuple(each.values()) for each in others]
    assert len({*drawn}) == len(drawn) == 11
    assert {*drawn} <= {*grid}
    assert [*others[0]] == [*SPACES[agent]]
    assert draw_candidates(agent, 12, 1) == [first, *others]
    assert draw_candidates(agent, 12, 2) != [first, *others]
    assert len(draw_candidates(agent, 9999, 1)) == len(grid) + 1


@pytest.mark.parametrize("agent", SPACES)
def test_ends_of_the_grid_are_arguments(agent: str) -> None:
    for end in (0, -1):
        arguments = {name: values[end] for name, values in SPACES[agent].items()}
        made = tuning.candidate_agent(agent, SETTINGS["blocking"], arguments)
        assert refusal(made, SETTINGS["blocking"]) == ""


def test_seeds_and_levels_are_not_those_of_the_suite() -> None:
    suite = {run_seed(number) for number in range(1000)}
    assert not suite & {derive_seed(CONFIG.seed, number) for number in range(1000)}
    assert max(setting.runs for setting in SETTINGS.values()) < tuning.FIRST_RUN
    with pytest.raises(ValueError, match="seed=0; expected another than that of the suite"):
        TuningConfig(seed=0).check()


def test_table_has_a_row_for_each_candidate(table: Table) -> None:
    assert table["agent"].tolist() == ["q_learning"] * 3 + ["dyna_q"] * 3
    assert (table["environment"] == "").all()  # the id does not make this environment
    assert table["arguments"][0] == table["arguments"][3] == "{}"
    assert json.loads(table["arguments"][4]) == draw_candidates("dyna_q", 3, 1)[1]


def test_best_is_smallest_mean_and_first_of_equals(table: Table) -> None:
    own = {name: values.copy() for name, values in table.items()}
    own["regret_mean"] = np.array([3.0, 2.0, 2.0, 1.0, 5.0, 4.0])
    best = tuning.best_candidates(own)
    assert [row["arguments"] for row in best] == [table["arguments"][1], "{}"]
    lines = tuning.summary({"adaptation_tuning": own}, CONFIG)
    assert lines[2][-1] == "the suite's"
    assert len(tuning.plot({"adaptation_tuning": own}, CONFIG).axes) == 1


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match="agents='oracle'"):
        TuningConfig(agents=("oracle",)).check()
    with pytest.raises(ValueError, match="setting='continuous'"):
        TuningConfig(setting=("continuous",)).check()


def test_file_has_all_arguments_of_the_constructor(table: Table) -> None:
    own = {name: values.copy() for name, values in table.items()}
    own["regret_mean"] = np.array([3.0, 2.0, 4.0, 3.0, 2.0, 4.0])
    text = tuned_file.tuned_text(own)
    assert "--candidates 3 --runs 2 --seed 1" in text
    entries: list[dict[str, Any]] = tomllib.loads(text)["tuned"]
    assert [entry["kind"] for entry in entries] == ["QLearning", "DynaQ"]
    drawn = draw_candidates("dyna_q", 3, 1)[1]
    assert entries[1]["arguments"] == {"planning_steps": 50, **drawn, "gamma": 0.95}
    suites = SUITE_AGENTS["dyna_q"].make.keywords  # type: ignore[attr-defined]
    assert {*suites} <= {*entries[1]["arguments"]}


def test_commands_write_the_file(tmp_path: Path) -> None:
    options = ["--candidates", "2", "--runs", "2", "--setting", "partially_seen", "--workers", "1"]
    command = ["bench", "run", "adaptation-tuning", *options, "--agents", "q_learning"]
    assert cli.main([*command, "--output", str(tmp_path)]) == 0
    file = tmp_path / "mine.toml"
    assert cli.main(["bench", "tuned", "--results", str(tmp_path), "--output", str(file)]) == 0
    (entry,) = tomllib.loads(file.read_text())["tuned"]
    assert (entry["setting"], entry["agent"]) == ("partially_seen", "q_learning")
