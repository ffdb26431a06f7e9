"""Background against decision-time planning: counted budgets, regrets, compiled runs."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dynamaze.agents import LatestOutcome
from dynamaze.benchmarks.figures import background_or_decision as experiment
from dynamaze.benchmarks.figures.background_or_decision import (
    PLANNERS,
    TRANSITIONS_PER_UPDATE,
    BackgroundOrDecisionConfig,
    BudgetSetting,
    make_agent,
    run,
    run_agent,
)
from dynamaze.benchmarks.figures.counting_model import CountingModel
from dynamaze.benchmarks.figures.exercise_8_4 import MAZES, found_change, maze_reference
from dynamaze.benchmarks.harness.analysis.table import Table, rows_where

from ..stored_tables import store

CONFIG = BackgroundOrDecisionConfig(runs=3, budgets=(40, 200), mazes=("blocking",))


@pytest.fixture(scope="module")
def tables() -> dict[str, Table]:
    return run(CONFIG)


def counts(method: str, budget: int, steps: int = 1500) -> list[int]:
    """Return the transitions of the model that an agent uses in each real step."""
    model = CountingModel(LatestOutcome(54, 4))
    seed = np.random.SeedSequence(2)
    agent = make_agent(CONFIG, "blocking", BudgetSetting(method, budget), seed, model)
    totals = [0, *(model.count for _ in islice(agent.steps(), steps))]
    return np.diff(totals).tolist()


@pytest.mark.parametrize("budget", [8, 40, 200])
def test_agents_stay_within_budget(budget: int) -> None:
    assert set(counts("uniform", budget)) == {budget}
    for method in PLANNERS:
        used = counts(method, budget)
        assert max(used) <= budget
        assert max(used) > budget // 2  # it does use the budget


def test_sweeping_update_uses_seven_transitions() -> None:
    used = counts("prioritised_sweeping", 1 + TRANSITIONS_PER_UPDATE)
    assert max(used) == 1 + TRANSITIONS_PER_UPDATE
    assert min(used) == 1  # an empty queue


def test_search_episodes_fill_budget() -> None:
    for budget, episodes, depth in ((8, 4, 2), (200, 4, 50), (3000, 60, 50)):
        for method in ("monte_carlo", "tree"):
            seed = np.random.SeedSequence(0)
            agent: Any = make_agent(CONFIG, "blocking", BudgetSetting(method, budget), seed)
            assert (agent.planning.simulations, agent.planning.depth) == (episodes, depth)


def test_regret_against_known_maze(tables: dict[str, Table]) -> None:
    curves, regrets = tables["background_or_decision"], tables["background_or_decision_regret"]
    maze = MAZES["blocking"]
    for row, (method, budget) in enumerate(zip(regrets["method"], regrets["budget"], strict=True)):
        curve = rows_where(curves, method=method, budget=budget)
        assert curve["step"].tolist() == list(range(10, maze.steps + 1, 10))
        until, end = curve["reward_mean"][99], curve["reward_mean"][-1]
        assert regrets["before_mean"][row] == pytest.approx(1000 / 10 - until)
        assert regrets["after_mean"][row] == pytest.approx(2000 / 16 - (end - until))
        assert 0 <= until <= 100
        assert 0 <= end - until <= 125 + 1


def test_found_fraction_counts_runs(tables: dict[str, Table]) -> None:
    regrets = rows_where(tables["background_or_decision_regret"], method="uniform")
    reference = maze_reference(MAZES["blocking"])
    seeds = [np.random.SeedSequence(CONFIG.seed, spawn_key=(run,)) for run in range(CONFIG.runs)]
    for budget, fraction in zip(CONFIG.budgets, regrets["found_mean"], strict=True):
        setting = BudgetSetting("uniform", budget)
        rewards = [run_agent(CONFIG, "blocking", setting, seed) for seed in seeds]
        found = [found_change(each, reference.change, reference.shortest) for each in rewards]
        assert fraction == np.mean(found)


def test_methods_have_each_budget(tables: dict[str, Table]) -> None:
    regrets = tables["background_or_decision_regret"]
    settings = list(zip(regrets["method"].tolist(), regrets["budget"].tolist(), strict=True))
    assert settings == [
        ("q_learning", 0),
        *((method, budget) for method in PLANNERS for budget in CONFIG.budgets),
    ]


def test_compiled_run_equals_steps() -> None:
    for method in ("q_learning", *PLANNERS):
        seed = np.random.SeedSequence(5)
        agent = make_agent(CONFIG, "blocking", BudgetSetting(method, 40), seed)
        rewards = [step.reward for step in islice(agent.steps(), 1200)]
        assert (
            run_agent(CONFIG, "blocking", BudgetSetting(method, 40), seed)[:1200].tolist()
            == rewards
        )


def test_background_needs_fewer_transitions() -> None:
    # Rewards in 6000 steps with 300 transitions: about 290 for background planning, below 100 for
    # the searches, with standard deviations below 30.
    rewards = {
        method: run_agent(
            CONFIG, "shortcut", BudgetSetting(method, 300), np.random.SeedSequence(0)
        ).sum()
        for method in PLANNERS
    }
    background = min(rewards["uniform"], rewards["prioritised_sweeping"])
    assert background > 1.5 * max(rewards["monte_carlo"], rewards["tree"])


def test_run_same_seed(tables: dict[str, Table]) -> None:
    assert CONFIG.total_runs == 3 * 9
    again = run(CONFIG)
    for name, table in tables.items():
        for column in table:
            np.testing.assert_array_equal(table[column], again[name][column])


def test_plot_from_stored_tables(tables: dict[str, Table], tmp_path: Path) -> None:
    stored = store(tables, CONFIG, tmp_path)
    figure = experiment.plot(stored, CONFIG)
    drawn = [np.asarray(line.get_ydata()) for line in figure.axes[0].lines]
    curves = rows_where(stored["background_or_decision"], budget=200)
    for method in PLANNERS:
        wanted = rows_where(curves, method=method)["reward_mean"]
        assert any(np.array_equal(wanted, line) for line in drawn)
    assert "200 transitions" in figure.axes[0].get_title()
    assert len(figure.axes) == 3
    assert experiment.summary(stored, CONFIG) == experiment.summary(tables, CONFIG)


def test_plot_panel_per_maze() -> None:
    config = replace(CONFIG, runs=2, budgets=(40,), mazes=("blocking", "shortcut"))
    tables = run(config)
    assert len(experiment.plot(tables, config).axes) == 6
    assert len(experiment.summary(tables, config)) == 2
