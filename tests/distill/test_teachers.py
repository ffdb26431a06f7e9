"""Whatever knows what to do, as logits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import dynamaze  # noqa: F401
from dynamaze.agents import DynaQ, QLearning, TreeSearch
from dynamaze.distill.teachers import ActionValues, answers_each, as_teacher, teacher_answers
from dynamaze.distill.teachers.experts import Experts
from dynamaze.envs.generation import MazeGenerator
from dynamaze.envs.generation.planes import ShortestPathPolicy, query_all_cells, split_queries

SEEN = np.arange(6, dtype=np.float32).reshape(3, 2)


def double(observations: Any) -> np.ndarray:
    """Two actions, each worth twice its number of the observation."""
    return 2.0 * np.asarray(observations)


def test_a_function_gives_its_own_logits() -> None:
    np.testing.assert_array_equal(teacher_answers(double, SEEN), 2 * SEEN)
    expected = np.exp(2 * SEEN) / np.exp(2 * SEEN).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(as_teacher(double).action_probabilities(SEEN), expected, rtol=1e-6)
    assert as_teacher(double).act(SEEN[0]) == 1


def test_a_temperature_divides_the_logits_of_anything() -> None:
    soft = as_teacher(double, temperature=4.0)
    np.testing.assert_array_equal(teacher_answers(soft, SEEN), SEEN / 2)
    module = torch.nn.Linear(2, 3)
    whole, half = as_teacher(module), as_teacher(module, temperature=2.0)
    np.testing.assert_allclose(half.action_logits(SEEN), whole.action_logits(SEEN) / 2)
    with pytest.raises(ValueError, match="temperature=0"):
        as_teacher(double, temperature=0)


@pytest.mark.parametrize("kind", [QLearning, DynaQ])
def test_an_agents_logits_are_the_logarithms_of_its_probabilities(kind: Any) -> None:
    agent = kind("DynaMaze-v0", seed=0, epsilon=0.2).learn(500)
    cells = np.arange(54)
    logits = teacher_answers(agent, cells, 4)
    np.testing.assert_allclose(np.exp(logits), agent.action_probabilities(cells), rtol=1e-6)


def test_what_is_never_done_is_very_unlikely_and_not_impossible() -> None:
    agent = DynaQ("DynaMaze-v0", seed=0, epsilon=0.0).learn(3000)
    logits = teacher_answers(agent, np.arange(54))
    assert logits.min() == pytest.approx(np.log(1e-6))
    # The probabilities stay its own.
    assert as_teacher(agent).action_probabilities(np.arange(54)).min() == 0.0


def test_tree_search_teaches_the_shares_of_its_visits() -> None:
    def make() -> TreeSearch:
        return TreeSearch("DynaMaze-v0", simulations=40, seed=3)

    shares = make().action_probabilities(np.array([17, 40]))
    np.testing.assert_allclose(np.exp(teacher_answers(make(), np.array([17, 40]))), shares, 1e-5)
    assert len(np.unique(shares)) > 2


def test_a_module_is_asked_in_evaluation_mode_and_left_as_it_was() -> None:
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Dropout(0.5))
    module[0].eval()
    first, second = (teacher_answers(module, SEEN) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first, module[0](torch.tensor(SEEN)).detach().numpy())
    assert [part.training for part in module.modules()] == [True, False, True]


def test_a_module_gets_numbers_of_its_own_precision() -> None:
    module = torch.nn.Linear(2, 3)
    expected = teacher_answers(module, SEEN)
    np.testing.assert_array_equal(teacher_answers(module, SEEN.astype(np.float64)), expected)
    table = torch.nn.Embedding(5, 3)
    np.testing.assert_array_equal(
        teacher_answers(table, np.array([4, 0])), table.weight.detach().numpy()[[4, 0]]
    )


def test_action_values_know_what_a_state_is_worth() -> None:
    teacher = ActionValues(double, temperature=0.5)
    np.testing.assert_array_equal(teacher.action_logits(SEEN), 4 * SEEN)
    np.testing.assert_array_equal(teacher.state_values(SEEN), [2, 6, 10])
    np.testing.assert_array_equal(as_teacher(teacher, temperature=2).state_values(SEEN), [2, 6, 10])


def test_what_is_no_teacher_is_refused() -> None:
    for thing in (3, "ppo.zip", DynaQ, object()):
        with pytest.raises(TypeError, match="expected a policy"):
            as_teacher(thing)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([[0.0, 1.0], [0.0, np.nan], [0.0, 0.0]], "row 1 for action 1 is nan; expected finite"),
        ([[0.0, 1.0], [0.0, 0.0], [-np.inf, 0.0]], "row 2 for action 0 is -inf"),
        ([[0.0, 1e300], [0.0, 0.0], [0.0, 0.0]], "row 0 for action 1 is inf"),
        ([[0.0, 1.0]] * 2, "2 answers to 3 observations"),
        ([0.0, 1.0, 2.0], r"shape \(3,\); expected \(answers, actions\)"),
    ],
)
def test_an_answer_that_cannot_be_learned_from_is_refused(answer: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        teacher_answers(lambda _: np.array(answer), SEEN)


def test_another_number_of_actions_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(3, 2\); expected \(answers, 4\)"):
        teacher_answers(double, SEEN, 4)


def test_in_planes_each_marked_cell_is_answered() -> None:
    planes = query_all_cells(MazeGenerator(7), range(3))
    answers = int(planes[:, 1].sum())
    assert len(teacher_answers(ShortestPathPolicy(), planes, 4)) == answers > 3
    np.testing.assert_array_equal(answers_each(planes, answers), planes[:, 1].sum(axis=(1, 2)))
    # A picture of the same shape has one answer.
    np.testing.assert_array_equal(answers_each(planes, 3), [1, 1, 1])


def test_each_expert_is_asked_only_about_its_own() -> None:
    asked: list[Any] = []

    def first(observations: Any) -> np.ndarray:
        asked.append(observations)
        return double(observations)

    experts = Experts(
        [first, lambda seen: -double(seen)], lambda seen: (seen[:, 0] > 1).astype(int)
    )
    np.testing.assert_array_equal(teacher_answers(experts, SEEN), [[0, 2], [-4, -6], [-8, -10]])
    np.testing.assert_array_equal(asked, [[[0, 1]]])


def test_experts_of_mazes_answer_for_all_cells_of_their_own() -> None:
    planes = query_all_cells(MazeGenerator(7), range(4))

    def wrong(seen: Any) -> np.ndarray:
        return 1.0 - ShortestPathPolicy().action_probabilities(seen)

    right = ShortestPathPolicy().action_probabilities(planes)
    experts = Experts([ShortestPathPolicy(), wrong], lambda seen: np.array([0, 1, 1, 0]))
    maze = np.repeat(np.arange(4), planes[:, 1].sum(axis=(1, 2)).astype(int))
    agrees = np.isclose(experts.action_probabilities(planes), right, atol=1e-5).all(axis=1)
    np.testing.assert_array_equal(agrees, np.isin(maze, [0, 3]))
    alone = split_queries(planes)
    rule = Experts([ShortestPathPolicy()], lambda seen: np.zeros(len(seen), dtype=int))
    np.testing.assert_allclose(rule.action_probabilities(alone), right, atol=1e-5)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (lambda seen: np.array([0, 2, 0]), "the rule gave 2 for observation 1"),
        (lambda seen: np.array([0, -1, 0]), "the rule gave -1 for observation 1"),
        (lambda seen: np.array([0.0, 1.0, 0.0]), "dtype float64"),
        (lambda seen: np.array([0]), r"shape \(1,\)"),
    ],
)
def test_a_rule_that_names_nobody_is_refused(rule: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Experts([double, double], rule).action_logits(SEEN)


def test_experts_that_do_not_fit_are_refused() -> None:
    rule = lambda seen: np.array([0, 1, 0])  # noqa: E731
    with pytest.raises(ValueError, match=r"experts of \[1, 2\] actions"):
        Experts([double, lambda seen: seen[:, :1]], rule).action_logits(SEEN)
    with pytest.raises(ValueError, match="no teachers"):
        Experts([], rule)
