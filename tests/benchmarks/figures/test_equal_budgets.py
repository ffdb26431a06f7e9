"""Planners at equal budgets: counted transitions, losses against exact values, results."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dynamaze.agents import LatestOutcome
from dynamaze.agents.models.true import TrueModel
from dynamaze.benchmarks.figures.counting_model import CountingModel
from dynamaze.benchmarks.figures.equal_budgets import (
    PLANNERS,
    DecisionProblem,
    EqualBudgetsConfig,
    decide,
    decide_everywhere,
    forward_depth,
    make_planner,
    plot,
    run,
    sparse_depth,
    summary,
    trial,
)
from dynamaze.benchmarks.harness.analysis.table import Table, distinct, rows_where

from ..stored_tables import store

CONFIG = EqualBudgetsConfig(runs=6, budgets=(250, 4000))
START, BESIDE_GOAL = 18, 17
SIMULATING = ("monte_carlo", "tree", "td", "dyna_2")


@pytest.fixture(scope="module")
def problem() -> DecisionProblem:
    return DecisionProblem(CONFIG.slip, CONFIG.gamma, CONFIG.depth)


@pytest.fixture(scope="module")
def tables() -> dict[str, Table]:
    return run(CONFIG)


def spent(problem: DecisionProblem, method: str, row: int, budget: int, seed: int = 0) -> int:
    agent = make_planner(CONFIG, method, problem, budget, np.random.SeedSequence(seed))
    before = problem.model.count
    decide(CONFIG, method, agent, problem, row, budget)
    return problem.model.count - before


# -- exact values ------------------------------------------------------------------------------


def test_problem_states_are_free_cells(problem: DecisionProblem) -> None:
    assert len(problem.states) == 6 * 9 - 7 - 1
    assert START in problem.states
    assert 8 not in problem.states  # the goal


def test_problem_values_satisfy_bellman_equation(problem: DecisionProblem) -> None:
    for row in problem.states:
        for action in range(4):
            outcomes = problem.model.model.distribution(row, action)
            following = np.where(
                outcomes.terminated, 0.0, problem.q[outcomes.next_observation].max(axis=1)
            )
            value = outcomes.probability @ (outcomes.reward + CONFIG.gamma * following)
            assert problem.q[row, action] == pytest.approx(value, abs=1e-9)


def test_evaluate_loss_and_error(problem: DecisionProblem) -> None:
    q = problem.q[START]
    best = q.max()
    assert problem.evaluate(START, q) == (0.0, 0.0)
    lost, error = problem.evaluate(START, -q)  # the worst action
    assert lost == pytest.approx(best - q.min())
    assert error == pytest.approx(best + q.min())
    assert problem.evaluate(START, np.zeros(4)) == pytest.approx((best - q.mean(), best))
    assert problem.evaluate(START, np.array([0.0, 1, 1, 0]))[0] == pytest.approx(
        best - q[1:3].mean()
    )


def test_exact_planner_has_no_loss(problem: DecisionProblem) -> None:
    agent = make_planner(CONFIG, "forward", problem, 10**6, np.random.SeedSequence(0))
    lost, error, _ = decide_everywhere(CONFIG, "forward", agent, problem, 10**6)
    assert lost == pytest.approx(0.0, abs=1e-12)
    assert 0 <= error < CONFIG.gamma**CONFIG.depth


# -- counted transitions -----------------------------------------------------------------------


def test_counting_model_counts(problem: DecisionProblem) -> None:
    inside = TrueModel(problem.env)
    model = CountingModel(inside, np.full(54 * 4, 3))
    rng = np.random.Generator(np.random.SFC64(0))
    assert model.count == 0
    drawn = model.sample(7, rng)
    assert len(drawn.action) == model.count == 7
    model.distribution(START, 0)
    assert model.count == 10
    assert CountingModel(LatestOutcome(54, 4)).table.outcomes.tolist() == [1] * (54 * 4)


def test_counting_model_is_transparent(problem: DecisionProblem) -> None:
    for method in PLANNERS:
        found = []
        for model in (problem.model, TrueModel(problem.env)):
            agent: Any = make_planner(CONFIG, method, problem, 1000, np.random.SeedSequence(3))
            rows, rng = np.array([START, 40]), np.random.Generator(np.random.SFC64(1))
            found.append(agent.planning.action_values(agent.values, model, rows, rng))
        np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("budget", [250, 1000, 20_000])
def test_planners_use_their_budget(problem: DecisionProblem, budget: int) -> None:
    for row in (START, BESIDE_GOAL, 40):
        for method in PLANNERS:
            used = spent(problem, method, row, budget)
            assert 0 < used <= budget
            if method in SIMULATING:
                assert used > budget - 4 * CONFIG.depth


def test_forward_depth_cost_is_exact(problem: DecisionProblem) -> None:
    for budget in (250, 3000, 20_000):
        depth = forward_depth(problem, START, budget)
        within = np.logical_or.accumulate(problem.reach[:, START]) @ problem.outcomes
        assert spent(problem, "forward", START, budget) == within[:depth].sum() <= budget
        assert within[: depth + 1].sum() > budget  # one step more exceeds the budget


def test_sparse_depth_cost_is_bounded(problem: DecisionProblem) -> None:
    layers = problem.reach[:, START].sum(axis=1) * 4 * CONFIG.width
    assert layers[:2].tolist() == [16, 16 * 4]  # up, right, down, or against the border
    for budget in (250, 3000, 20_000):
        depth = sparse_depth(problem, START, CONFIG.width, budget)
        assert layers[:depth].sum() <= budget < layers[: depth + 1].sum()


# -- results -----------------------------------------------------------------------------------


def test_losses_within_bounds(tables: dict[str, Table], problem: DecisionProblem) -> None:
    table = tables["equal_budgets"]
    assert distinct(table, "method") == list(PLANNERS)
    q = problem.q[problem.states]
    worst = (q.max(axis=1) - q.min(axis=1)).mean()
    assert (table["loss_mean"] >= 0).all()
    assert (table["loss_mean"] < worst).all()
    assert (table["spent_high"] <= table["budget"]).all()
    chance = rows_where(tables["equal_budgets_without"], method="chance")
    assert chance["loss_mean"][0] == pytest.approx((q.max(axis=1) - q.mean(axis=1)).mean())
    assert chance["error_mean"][0] == pytest.approx(q.max(axis=1).mean())
    assert chance["loss_low"][0] == pytest.approx(chance["loss_high"][0])


def test_larger_budgets_lose_less(tables: dict[str, Table]) -> None:
    # With 40 runs the losses are 9.1 and 17.6, and 18.3 and 25.4 thousandths. With 6 runs these
    # differences are 5.5 and 3.8 standard errors: false alarms once in 10^4 seeds.
    table = tables["equal_budgets"]
    chance = rows_where(tables["equal_budgets_without"], method="chance")["loss_mean"][0]
    curves = {name: rows_where(table, method=name) for name in PLANNERS}
    for curve in curves.values():
        assert curve["loss_mean"][1] < curve["loss_mean"][0] < chance
    assert curves["td"]["loss_mean"][1] < curves["tree"]["loss_mean"][1]
    assert curves["dyna_2"]["loss_mean"][0] < curves["td"]["loss_mean"][0]


def test_plot_from_stored_tables(tables: dict[str, Table], tmp_path: Path) -> None:
    stored = store(tables, CONFIG, tmp_path)
    for axes, kind in zip(plot(stored, CONFIG).axes, ("loss", "error"), strict=True):
        drawn = np.concatenate([np.asarray(line.get_ydata()) for line in axes.lines])
        for table in stored.values():
            assert np.isin(table[f"{kind}_mean"], drawn).all()
    assert summary(stored, CONFIG) == summary(tables, CONFIG)


def test_run_rejects_small_budget() -> None:
    with pytest.raises(ValueError, match=r"budgets=\(15, 250\); expected at least 16 each"):
        run(replace(CONFIG, budgets=(15, 250)))


def test_settings_are_independent() -> None:
    few, more = replace(CONFIG, runs=2, budgets=(250,)), replace(CONFIG, runs=3, budgets=(64, 250))
    assert few.total_runs == 2 * (2 + len(PLANNERS))
    for method in ("q_learning", "forward", "dyna_2"):
        budget = 0 if method == "q_learning" else 250
        for name, values in trial(few, method, budget, 1).items():
            np.testing.assert_array_equal(values, trial(more, method, budget, 1)[name])


def test_counters_are_independent(problem: DecisionProblem) -> None:
    first, second = problem.with_own_counter(), problem.with_own_counter()
    first.model.distribution(START, 0)
    assert (first.model.count, second.model.count) == (3, 0)
