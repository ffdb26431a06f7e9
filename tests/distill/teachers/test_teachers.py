"""Teachers made of functions, agents, modules and other teachers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import dynamaze  # noqa: F401
from dynamaze.agents import DynaQ, QLearning, TreeSearch
from dynamaze.distill.teachers import (
    ActionValues,
    MultiTeacher,
    as_teacher,
    queries_per_observation,
    teacher_labels,
)
from dynamaze.envs.generation import MazeGenerator
from dynamaze.envs.generation.planes import ShortestPathPolicy, query_all_cells, split_queries

SEEN = np.arange(6, dtype=np.float32).reshape(3, 2)


def double(observations: Any) -> np.ndarray:
    """Return the logits of two actions, each twice its component of the observation."""
    return 2.0 * np.asarray(observations)


def test_function_teacher_returns_logits() -> None:
    np.testing.assert_array_equal(teacher_labels(double, SEEN), 2 * SEEN)
    expected = np.exp(2 * SEEN) / np.exp(2 * SEEN).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(as_teacher(double).action_probabilities(SEEN), expected, rtol=1e-6)
    assert as_teacher(double).act(SEEN[0]) == 1


def test_temperature_divides_any_logits() -> None:
    soft = as_teacher(double, temperature=4.0)
    np.testing.assert_array_equal(teacher_labels(soft, SEEN), SEEN / 2)
    module = torch.nn.Linear(2, 3)
    whole, half = as_teacher(module), as_teacher(module, temperature=2.0)
    np.testing.assert_allclose(half.action_logits(SEEN), whole.action_logits(SEEN) / 2)
    with pytest.raises(ValueError, match="temperature=0"):
        as_teacher(double, temperature=0)


@pytest.mark.parametrize("kind", [QLearning, DynaQ])
def test_agent_logits_are_log_probabilities(kind: Any) -> None:
    agent = kind("DynaMaze-v0", seed=0, epsilon=0.2).learn(500)
    cells = np.arange(54)
    logits = teacher_labels(agent, cells, 4)
    np.testing.assert_allclose(np.exp(logits), agent.action_probabilities(cells), rtol=1e-6)


def test_zero_probability_has_finite_logit() -> None:
    agent = DynaQ("DynaMaze-v0", seed=0, epsilon=0.0).learn(3000)
    logits = teacher_labels(agent, np.arange(54))
    assert logits.min() == pytest.approx(np.log(1e-6))
    # The probabilities are the policy's own.
    assert as_teacher(agent).action_probabilities(np.arange(54)).min() == 0.0


def test_tree_search_logits_are_visit_fractions() -> None:
    def make() -> TreeSearch:
        return TreeSearch("DynaMaze-v0", simulations=40, seed=3)

    shares = make().action_probabilities(np.array([17, 40]))
    np.testing.assert_allclose(np.exp(teacher_labels(make(), np.array([17, 40]))), shares, 1e-5)
    assert len(np.unique(shares)) > 2


def test_module_runs_in_eval_mode_and_restores() -> None:
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Dropout(0.5))
    module[0].eval()
    first, second = (teacher_labels(module, SEEN) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first, module[0](torch.tensor(SEEN)).detach().numpy())
    assert [part.training for part in module.modules()] == [True, False, True]


def test_module_gets_own_precision() -> None:
    module = torch.nn.Linear(2, 3)
    expected = teacher_labels(module, SEEN)
    np.testing.assert_array_equal(teacher_labels(module, SEEN.astype(np.float64)), expected)
    table = torch.nn.Embedding(5, 3)
    np.testing.assert_array_equal(
        teacher_labels(table, np.array([4, 0])), table.weight.detach().numpy()[[4, 0]]
    )


def test_action_values_give_state_values() -> None:
    teacher = ActionValues(double, temperature=0.5)
    np.testing.assert_array_equal(teacher.action_logits(SEEN), 4 * SEEN)
    np.testing.assert_array_equal(teacher.state_values(SEEN), [2, 6, 10])
    np.testing.assert_array_equal(as_teacher(teacher, temperature=2).state_values(SEEN), [2, 6, 10])


def test_as_teacher_refuses_non_policies() -> None:
    for other in (3, "ppo.zip", DynaQ, object()):
        with pytest.raises(TypeError, match="expected a policy"):
            as_teacher(other)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([[0.0, 1.0], [0.0, np.nan], [0.0, 0.0]], "row 1 for action 1 is nan; expected finite"),
        ([[0.0, 1.0], [0.0, 0.0], [-np.inf, 0.0]], "row 2 for action 0 is -inf"),
        ([[0.0, 1e300], [0.0, 0.0], [0.0, 0.0]], "row 0 for action 1 is inf"),
        ([[0.0, 1.0]] * 2, "2 labels for 3 observations"),
        ([0.0, 1.0, 2.0], r"shape \(3,\); expected \(queries, actions\)"),
    ],
)
def test_teacher_labels_refuse_invalid(given: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        teacher_labels(lambda _: np.array(given), SEEN)


def test_teacher_labels_refuse_other_actions() -> None:
    with pytest.raises(ValueError, match=r"shape \(3, 2\); expected \(queries, 4\)"):
        teacher_labels(double, SEEN, 4)


def test_planes_have_label_per_marked_cell() -> None:
    planes = query_all_cells(MazeGenerator(7), range(3))
    queries = int(planes[:, 1].sum())
    assert len(teacher_labels(ShortestPathPolicy(), planes, 4)) == queries > 3
    np.testing.assert_array_equal(
        queries_per_observation(planes, queries), planes[:, 1].sum(axis=(1, 2))
    )
    # An image of the same shape has one label.
    np.testing.assert_array_equal(queries_per_observation(planes, 3), [1, 1, 1])


def test_multi_teacher_calls_each_on_own() -> None:
    queried: list[Any] = []

    def first(observations: Any) -> np.ndarray:
        queried.append(observations)
        return double(observations)

    combined = MultiTeacher(
        [first, lambda seen: -double(seen)], lambda seen: (seen[:, 0] > 1).astype(int)
    )
    np.testing.assert_array_equal(teacher_labels(combined, SEEN), [[0, 2], [-4, -6], [-8, -10]])
    np.testing.assert_array_equal(queried, [[[0, 1]]])


def test_multi_teacher_handles_planes() -> None:
    planes = query_all_cells(MazeGenerator(7), range(4))

    def wrong(seen: Any) -> np.ndarray:
        return 1.0 - ShortestPathPolicy().action_probabilities(seen)

    right = ShortestPathPolicy().action_probabilities(planes)
    combined = MultiTeacher([ShortestPathPolicy(), wrong], lambda seen: np.array([0, 1, 1, 0]))
    maze = np.repeat(np.arange(4), planes[:, 1].sum(axis=(1, 2)).astype(int))
    agrees = np.isclose(combined.action_probabilities(planes), right, atol=1e-5).all(axis=1)
    np.testing.assert_array_equal(agrees, np.isin(maze, [0, 3]))
    alone = split_queries(planes)
    single = MultiTeacher([ShortestPathPolicy()], lambda seen: np.zeros(len(seen), dtype=int))
    np.testing.assert_allclose(single.action_probabilities(alone), right, atol=1e-5)


@pytest.mark.parametrize(
    ("router", "message"),
    [
        (lambda seen: np.array([0, 2, 0]), "the router gave 2 for observation 1"),
        (lambda seen: np.array([0, -1, 0]), "the router gave -1 for observation 1"),
        (lambda seen: np.array([0.0, 1.0, 0.0]), "dtype float64"),
        (lambda seen: np.array([0]), r"shape \(1,\)"),
    ],
)
def test_multi_teacher_refuses_bad_index(router: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MultiTeacher([double, double], router).action_logits(SEEN)


def test_multi_teacher_refuses_mismatch() -> None:
    router = lambda seen: np.array([0, 1, 0])  # noqa: E731
    with pytest.raises(ValueError, match=r"teachers of \[1, 2\] actions"):
        MultiTeacher([double, lambda seen: seen[:, :1]], router).action_logits(SEEN)
    with pytest.raises(ValueError, match="no teachers"):
        MultiTeacher([], router)
