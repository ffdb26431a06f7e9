"""Compiled policies against their students."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from dynamaze.distill.export.compiled import CompiledPolicy, build_policy, load_policy
from dynamaze.distill.export.load import check_parity
from dynamaze.distill.files.students import save_student, to_stored
from dynamaze.distill.students.registry import make_student

from ...exact_value_iteration import exact_value_iteration
from ...student_cases import CONFIGS, COUNTS, observations, student

SHIPPED = [*CONFIGS, "exact"]


def without_torch(name: str) -> Any:
    return build_policy(to_stored(student(name)))


@pytest.mark.parametrize("name", SHIPPED)
def test_compiled_logits_match_student(name: str) -> None:
    queried = observations(name, COUNTS.get(name, 10_000))
    parity = check_parity(student(name), without_torch(name), queried)
    assert parity.queries == len(queried)
    # Between equal paths, and between actions into walls, rounding decides.
    assert parity.same_actions >= len(queried) - (10 if name == "exact" else 1)


@pytest.mark.parametrize("name", SHIPPED)
def test_act_is_argmax_of_logits(name: str) -> None:
    policy, queried = without_torch(name), observations(name, 50)
    best = policy.action_logits(queried).argmax(axis=1)
    assert [policy.act(one) for one in queried] == best.tolist()
    np.testing.assert_allclose(policy.action_probabilities(queried).sum(axis=1), 1)


def test_act_ties_prefer_first() -> None:
    network = student("linear")
    for weight in network.parameters():
        weight.data.zero_()
    assert build_policy(to_stored(network)).act(observations("linear", 1)[0]) == 0


@pytest.mark.parametrize("name", ["value iteration", "conv"])
def test_compiled_queried_cells_in_order(name: str) -> None:
    queried = observations(name, 40, agents=None)
    policy = without_torch(name)
    parity = check_parity(student(name), policy, queried)
    assert parity.queries == int(queried[:, 1].sum())


@pytest.mark.parametrize("name", ["value iteration of 8 maps", "conv"])
@pytest.mark.parametrize("sides", [(1, 1), (1, 9), (6, 9), (21, 5)])
def test_compiled_maze_size_may_change(sides: tuple[int, int], name: str) -> None:
    rng = np.random.default_rng(0)
    policy = without_torch(name)
    for size in (sides, (11, 11), sides):
        queried = (rng.random((20, 3, *size)) < 0.5).astype(np.float32)
        queried[0, 1] = 1.0
        check_parity(student(name), policy, queried)


def test_value_iteration_stops_without_change() -> None:
    # In a corridor of n cells values converge after n iterations; more change no bit.
    stored = to_stored(exact_value_iteration())
    corridor = np.zeros((1, 3, 1, 9), dtype=np.float32)
    corridor[0, 1] = 1.0
    corridor[0, 2, 0, 8] = 1.0
    logits = []
    for iterations in (12, 1_000_000):
        config = {**stored.config, "iterations": iterations}
        logits.append(build_policy(stored._replace(config=config)).action_logits(corridor))
    np.testing.assert_array_equal(*logits)
    assert logits[0][:8].argmax(axis=1).tolist() == [1] * 8


def test_exact_weights_reach_every_goal() -> None:
    policy = build_policy(to_stored(exact_value_iteration()))
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
def test_compiled_observation_types_match_student(kind: str) -> None:
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


def test_compiled_sizes_match_student() -> None:
    for name, parameters in (
        ("mlp", 1247),
        ("value iteration", 113),
        ("value iteration of 8 maps", 261),
    ):
        assert without_torch(name).num_parameters == parameters
        assert student(name).num_parameters == parameters
    for name, shape in (("mlp", (7, 7, 3)), ("value iteration", (3, 11, 11))):
        expected = student(name).multiply_adds(shape)
        assert without_torch(name).multiply_adds(shape) == expected
    # With the readout merged into the moves, any number of maps becomes four.
    vin = without_torch("value iteration of 8 maps")
    assert vin.multiply_adds((3, 11, 11)) == without_torch("value iteration").multiply_adds(
        (3, 11, 11)
    )


@pytest.mark.parametrize("shape", [(7, 7), (7, 7, 4), (1, 7, 7, 3)])
def test_compiled_refuses_other_shape(shape: tuple[int, ...]) -> None:
    policy = without_torch("mlp")
    with pytest.raises(ValueError, match=r"expected \(7, 7, 3\)"):
        policy.act(np.zeros(shape, dtype=np.float32))
    with pytest.raises(ValueError, match=r"expected \(batch, 7, 7, 3\)"):
        policy.action_logits(np.zeros((2, *shape), dtype=np.float32))


@pytest.mark.parametrize("name", ["value iteration", "conv"])
def test_planes_refuse_shape_and_missing_agent(name: str) -> None:
    policy = without_torch(name)
    with pytest.raises(ValueError, match=r"shape \(2, 5, 5\); expected \(3, rows, cols\)"):
        policy.act(np.zeros((2, 5, 5)))
    with pytest.raises(ValueError, match=r"expected \(batch, 3, rows, cols\)"):
        policy.action_logits(np.zeros((3, 5, 5)))
    with pytest.raises(ValueError, match="no cell is the agent's"):
        policy.act(np.zeros((3, 5, 5)))
    with pytest.raises(ValueError, match="expected numbers"):
        policy.act(np.full((3, 5, 5), "x"))


def test_load_policy_refuses_kinds_needing_torch(tmp_path: Path) -> None:
    save_student(tmp_path / "large.safetensors", make_student("residual", channels=2, blocks=1))
    with pytest.raises(
        ValueError, match=r"large\.safetensors.*'residual', which needs torch; expected .*'gru'"
    ):
        load_policy(tmp_path / "large.safetensors")


def test_tables_and_trees_run_directly(tmp_path: Path) -> None:
    from dynamaze.distill.core.dataset import Dataset, make_batch

    rng = np.random.default_rng(0)
    rows = Dataset(make_batch(rng.random((40, 5), dtype=np.float32), rng.random((40, 3))))
    for kind in ("table", "tree"):
        fitted = make_student(kind, observation_shape=(5,), num_actions=3).fit(rows)
        save_student(tmp_path / f"{kind}.safetensors", fitted)
        policy = load_policy(tmp_path / f"{kind}.safetensors")
        queried = rows.rows.observations
        np.testing.assert_array_equal(policy.action_logits(queried), fitted.action_logits(queried))


def test_load_policy_imports_no_torch(tmp_path: Path) -> None:
    for name in ("mlp", "value iteration", "conv"):
        save_student(tmp_path / f"{name}.safetensors", student(name))
    code = f"""
import sys
import numpy as np
from dynamaze.distill.export.compiled import load_policy
for name, shape in (("mlp", (7, 7, 3)), ("value iteration", (3, 11, 11)), ("conv", (3, 5, 6))):
    policy = load_policy({str(tmp_path)!r} + f"/{{name}}.safetensors")
    print(policy.act(np.ones(shape, np.float32)), policy.num_parameters)
print([name for name in ("torch", "stable_baselines3", "onnx") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *_, last = done.stdout.splitlines()
    assert last == "[]"


def test_value_iteration_loads_as_compiled() -> None:
    assert isinstance(without_torch("value iteration"), CompiledPolicy)
