"""The student that plans on its own map: its exact setting, symmetry, memory and training."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dynamaze.agents.mapping.paths import PathPlanner, best_actions_everywhere
from dynamaze.common.map_memory import (
    BUMPED,
    ENTERED,
    NEVER,
    NUM_EVENTS,
    REWARDED,
    MapMemory,
    move_targets,
)
from dynamaze.distill.core.map_state import map_of
from dynamaze.distill.core.observations import AGE_FEATURES, MAP_FEATURES
from dynamaze.distill.students.map_value_iteration import (
    LOGIT_CAP,
    MapValueIteration,
    compressed,
    with_exact_moves,
)
from dynamaze.distill.students.quantise import quantised, size_in_bytes

from ..exact_map_planner import expert_student

GRID = (5, 6)


def random_maps(runs: int, seed: int) -> MapMemory:
    rng, cells = np.random.default_rng(seed), GRID[0] * GRID[1]
    event = rng.choice([NEVER, ENTERED, ENTERED, REWARDED, BUMPED], size=(runs, cells))
    event[rng.random(runs) < 0.7] %= REWARDED  # most maps without a goal
    clock = np.full(runs, 400)
    return MapMemory(event.astype(np.int8), rng.integers(1, 400, size=event.shape), clock)


def planes_of(memory: MapMemory) -> np.ndarray:
    maps = np.stack([memory.event, memory.age, np.ones_like(memory.age)], axis=1)
    return maps.reshape(len(maps), 3, *GRID).astype(np.float32)


def test_features_are_of_all_events() -> None:
    assert MAP_FEATURES == NUM_EVENTS * AGE_FEATURES


def test_sizes() -> None:
    student = MapValueIteration()
    small = quantised(with_exact_moves(student))
    assert (student.num_parameters, small.num_parameters) == (43, 24)
    assert size_in_bytes(small) == (24, 4)


def test_exact_weights_act_as_expert() -> None:
    memory = random_maps(200, seed=0)
    best = best_actions_everywhere(PathPlanner.of(move_targets(GRID)), memory)
    with torch.no_grad():
        logits = expert_student()(torch.from_numpy(planes_of(memory))).numpy()
    logits = logits.reshape(best.shape)
    free = memory.event != BUMPED
    found = logits == logits.max(axis=2, keepdims=True)
    np.testing.assert_array_equal(found[free], best[free])
    assert 0.1 < best[free].mean() < 0.9


def test_turned_map_has_turned_logits() -> None:
    student = MapValueIteration(seed=1)
    with torch.no_grad():
        student.move += torch.randn(9)
        maps = torch.from_numpy(planes_of(random_maps(4, seed=1)))
        logits = student(maps).view(4, *GRID, 4)
        turned = student(torch.rot90(maps, -1, (2, 3)).contiguous()).view(4, *GRID[::-1], 4)
    # What is up is to the right after a turn: action 0 becomes 1.
    expected = torch.rot90(logits, -1, (1, 2)).roll(1, dims=3)
    torch.testing.assert_close(turned, expected, rtol=1e-4, atol=1e-3)  # sums in another order


def test_exact_moves_keep_hard_kernels() -> None:
    student = MapValueIteration(seed=2)
    with torch.no_grad():
        student.move.copy_(torch.eye(9)[1] * 20)  # after the softmax 1 above, 0 elsewhere
        student.cost.copy_(torch.eye(9)[1] * -1.5)
    maps = torch.from_numpy(planes_of(random_maps(8, seed=2)))
    with torch.no_grad():
        torch.testing.assert_close(with_exact_moves(student)(maps), student(maps))
    with pytest.raises(ValueError, match="exact moves already"):
        with_exact_moves(with_exact_moves(student))


def test_compressed_gaps() -> None:
    logits = torch.tensor([[2.0, 2.0 - LOGIT_CAP, 2.0, -1e4]])
    gap = LOGIT_CAP * np.log1p((2 + 1e4) / LOGIT_CAP)
    expected = torch.tensor([[0.0, -LOGIT_CAP * np.log(2), 0.0, -gap]])
    torch.testing.assert_close(compressed(logits), expected.float())


def test_all_weights_are_trained() -> None:
    student = MapValueIteration(seed=3)
    maps = torch.from_numpy(planes_of(random_maps(32, seed=3)))
    for progress in (0.0, 0.3, 1.0):
        (output,) = student.training_outputs(maps, progress, np.random.default_rng(0))
        assert output.logits.shape == (32 * GRID[0] * GRID[1], 4)
        loss = torch.nn.functional.cross_entropy(
            output.logits, torch.zeros(len(output.logits)).long()
        )
        loss.backward()  # type: ignore[no-untyped-call]
    for name, weight in student.named_parameters():
        assert weight.grad is not None, name
        assert (weight.grad != 0).all(), name
    assert float(student.sharpness) == 1000


def test_memory_outlives_episodes() -> None:
    student = MapValueIteration()
    student.grid = (1, 3)
    student.action_logits([[0, 4, 0]])
    student.action_logits([[1, 1, 0]])
    student.action_logits([[2, 1, 1]])  # the goal
    student.reset(np.array([True]))
    student.action_logits([[0, 1, 1]])  # action and reward before the episode do not matter
    assert student.memory is not None
    memory = map_of(student.memory)
    assert memory.event.tolist() == [[ENTERED, ENTERED, REWARDED]]
    assert memory.time.tolist() == [[2, 1, 2]]
    student.action_logits([[0, 3, 0]])  # against the edge
    assert map_of(student.memory).time.tolist() == [[3, 1, 2]]
    student.forget()
    assert student.memory is None


def test_wrong_input_is_refused() -> None:
    student = MapValueIteration()
    with pytest.raises(ValueError, match=r"expected policy.grid = \(rows, cols\)"):
        student.action_logits([[0, 0, 0]])
    with pytest.raises(ValueError, match=r"grid=5; expected \(rows, cols\)"):
        student.grid = 5
    student.grid = (2, 3)
    with pytest.raises(ValueError, match="cell 6 of a maze of 6"):
        student.action_logits([[6, 0, 0]])
    with pytest.raises(ValueError, match=r"shape \(1, 2\); expected \(batch, 3\)"):
        student.action_logits([[0, 0]])
    student.action_logits([[0, 0, 0]])
    with pytest.raises(ValueError, match=r"memory of shape \(1, 14\); expected \(2, 14\)"):
        student.action_logits([[0, 0, 0], [0, 0, 0]])
    with pytest.raises(ValueError, match="moves='soft'"):
        MapValueIteration("soft")
