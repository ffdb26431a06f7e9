"""Students that run without torch give what they gave with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from dynamaze.distill.export.compiled import load_policy, policy_of
from dynamaze.distill.export.compiled.value_iteration import PlannerPolicy
from dynamaze.distill.export.load import check_parity
from dynamaze.distill.files.students import save_student, stored_form
from dynamaze.distill.students.inputs import BRIGHTEST
from dynamaze.distill.students.registry import make_student

from .planners import exact_planner
from .students_to_ship import CONFIGS, COUNTS, observations, student

SHIPPED = [*CONFIGS, "exact"]


def without_torch(name: str) -> Any:
    return policy_of(stored_form(student(name)))


@pytest.mark.parametrize("name", SHIPPED)
def test_ten_thousand_answers_are_the_students(name: str) -> None:
    asked = observations(name, COUNTS.get(name, 10_000))
    parity = check_parity(student(name), without_torch(name), asked)
    assert parity.answers == len(asked)
    # Of two ways of the same length, and of actions into walls, the last bits decide.
    assert parity.same_actions >= len(asked) - (50 if name == "exact" else 1)


@pytest.mark.parametrize("name", SHIPPED)
def test_acting_is_the_best_of_the_logits(name: str) -> None:
    policy, asked = without_torch(name), observations(name, 50)
    best = policy.action_logits(asked).argmax(axis=1)
    assert [policy.act(one) for one in asked] == best.tolist()
    np.testing.assert_allclose(policy.action_probabilities(asked).sum(axis=1), 1)


def test_of_equal_logits_the_first_counts() -> None:
    network = student("linear")
    for weight in network.parameters():
        weight.data.zero_()
    assert policy_of(stored_form(network)).act(observations("linear", 1)[0]) == 0


@pytest.mark.parametrize("name", ["planner", "conv"])
def test_several_cells_are_answered_in_their_order(name: str) -> None:
    asked = observations(name, 40, agents=None)
    policy = without_torch(name)
    parity = check_parity(student(name), policy, asked)
    assert parity.answers == int(asked[:, 1].sum())


@pytest.mark.parametrize("name", ["planner of 8 maps", "conv"])
@pytest.mark.parametrize("sides", [(1, 1), (1, 9), (6, 9), (21, 5)])
def test_mazes_may_be_of_any_size_one_after_the_other(sides: tuple[int, int], name: str) -> None:
    rng = np.random.default_rng(0)
    policy = without_torch(name)
    for size in (sides, (11, 11), sides):
        asked = (rng.random((20, 3, *size)) < 0.5).astype(np.float32)
        asked[0, 1] = 1.0
        check_parity(student(name), policy, asked)


def test_the_planner_may_stop_when_nothing_changes() -> None:
    # In a corridor of n cells the goal's wave takes n iterations; more change no bit.
    stored = stored_form(exact_planner())
    corridor = np.zeros((1, 3, 1, 9), dtype=np.float32)
    corridor[0, 1] = 1.0
    corridor[0, 2, 0, 8] = 1.0
    answers = []
    for iterations in (12, 10_000_000):
        config = {**stored.config, "iterations": iterations}
        answers.append(policy_of(stored._replace(config=config)).action_logits(corridor))
    np.testing.assert_array_equal(*answers)
    assert answers[0][:8].argmax(axis=1).tolist() == [1] * 8


def test_exact_weights_lead_to_every_goal() -> None:
    policy = policy_of(stored_form(exact_planner()))
    env = gym.make("DynaMazeGenerated-v0", size=11, max_episode_steps=121)
    for level in range(20):
        observation, _ = env.reset(seed=level)
        maze: Any = env.unwrapped
        steps, ended = 0, False
        shortest = maze.layout.distances[maze.agent]
        while not ended:
            observation, _, ended, truncated, _ = env.step(policy.act(observation))
            steps += 1
            assert not truncated
        assert steps == shortest


@pytest.mark.parametrize("kind", ["u1", "f4", "f8", "i8", "?", "f2", "u2"])
def test_observations_of_any_kind_are_seen_as_the_student_sees_them(kind: str) -> None:
    numbers = np.random.default_rng(0).integers(0, 256, (30, 7, 7, 3)).astype(kind)
    network, policy = student("mlp"), without_torch("mlp")
    seen: Any = numbers if kind in ("u1", "f4") else numbers.astype(np.float32)
    wanted = network.action_logits(seen)
    np.testing.assert_allclose(policy.action_logits(numbers), wanted, atol=1e-3)
    assert policy.act(numbers[3]) == wanted[3].argmax()
    # Every second column of a larger array is not contiguous.
    wide = np.repeat(numbers, 2, axis=3)[..., ::2]
    np.testing.assert_array_equal(policy.action_logits(wide), policy.action_logits(numbers))
    assert policy.act(wide[3]) == wanted[3].argmax()


def test_pictures_are_divided_by_what_the_students_divide_them_by() -> None:
    from dynamaze.distill.export.c_source.c_tables import BRIGHTEST as IN_C
    from dynamaze.distill.export.common.float32 import PICTURES

    assert PICTURES[np.dtype("u1")] == np.float32(1 / BRIGHTEST)
    assert IN_C == BRIGHTEST


def test_sizes_are_told() -> None:
    for name, parameters in (("mlp", 1247), ("planner", 113), ("planner of 8 maps", 261)):
        assert without_torch(name).num_parameters == parameters
        assert student(name).num_parameters == parameters
    for name, shape in (("mlp", (7, 7, 3)), ("planner", (3, 11, 11))):
        expected = student(name).multiply_adds(shape)
        assert without_torch(name).multiply_adds(shape) == expected
    # With its readout put into its moves, a planner of any number of maps iterates four.
    planner = without_torch("planner of 8 maps")
    assert planner.multiply_adds((3, 11, 11)) == without_torch("planner").multiply_adds((3, 11, 11))


@pytest.mark.parametrize("shape", [(7, 7), (7, 7, 4), (1, 7, 7, 3)])
def test_an_observation_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    policy = without_torch("mlp")
    with pytest.raises(ValueError, match=r"expected \(7, 7, 3\)"):
        policy.act(np.zeros(shape, dtype=np.float32))
    with pytest.raises(ValueError, match=r"expected \(batch, 7, 7, 3\)"):
        policy.action_logits(np.zeros((2, *shape), dtype=np.float32))


@pytest.mark.parametrize("name", ["planner", "conv"])
def test_planes_of_another_shape_and_without_an_agent_are_refused(name: str) -> None:
    policy = without_torch(name)
    with pytest.raises(ValueError, match=r"shape \(2, 5, 5\); expected \(3, rows, cols\)"):
        policy.act(np.zeros((2, 5, 5)))
    with pytest.raises(ValueError, match=r"expected \(batch, 3, rows, cols\)"):
        policy.action_logits(np.zeros((3, 5, 5)))
    with pytest.raises(ValueError, match="no cell is the agent's"):
        policy.act(np.zeros((3, 5, 5)))
    with pytest.raises(ValueError, match="expected numbers"):
        policy.act(np.full((3, 5, 5), "x"))


def test_what_needs_torch_is_refused(tmp_path: Path) -> None:
    save_student(tmp_path / "large.safetensors", make_student("residual", channels=2, blocks=1))
    with pytest.raises(
        ValueError, match=r"large\.safetensors.*'residual', which needs torch; expected .*'gru'"
    ):
        load_policy(tmp_path / "large.safetensors")


def test_tables_and_trees_run_as_they_are(tmp_path: Path) -> None:
    from dynamaze.distill.core.dataset import Dataset, make_batch

    rng = np.random.default_rng(0)
    rows = Dataset(make_batch(rng.random((40, 5), dtype=np.float32), rng.random((40, 3))))
    for kind in ("table", "tree"):
        fitted = make_student(kind, observation_shape=(5,), num_actions=3).fit(rows)
        save_student(tmp_path / f"{kind}.safetensors", fitted)
        policy = load_policy(tmp_path / f"{kind}.safetensors")
        asked = rows.rows.observations
        np.testing.assert_array_equal(policy.action_logits(asked), fitted.action_logits(asked))


def test_no_torch_is_imported(tmp_path: Path) -> None:
    for name in ("mlp", "planner", "conv"):
        save_student(tmp_path / f"{name}.safetensors", student(name))
    code = f"""
import sys
import numpy as np
from dynamaze.distill.export.compiled import load_policy
for name, shape in (("mlp", (7, 7, 3)), ("planner", (3, 11, 11)), ("conv", (3, 5, 6))):
    policy = load_policy({str(tmp_path)!r} + f"/{{name}}.safetensors")
    print(policy.act(np.ones(shape, np.float32)), policy.num_parameters)
print([name for name in ("torch", "stable_baselines3", "onnx") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *_, last = done.stdout.splitlines()
    assert last == "[]"


def test_a_planner_is_a_planner() -> None:
    assert isinstance(without_torch("planner"), PlannerPolicy)
