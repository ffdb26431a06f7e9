"""A replay buffer whose batches are partly simulated."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

pytest.importorskip("stable_baselines3")
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.save_util import load_from_pkl, save_to_pkl

from dynamaze.agents.sb3.buffer import MixedReplayBuffer

REAL, SIMULATED = 1.0, 2.0
"""Rewards by which rows are identified."""


def make_buffer(reward: float, rows: int = 6) -> ReplayBuffer:
    space = spaces.Box(-1, 1, (2,), np.float32)
    buffer = ReplayBuffer(50, space, spaces.Discrete(3), device="cpu")
    for row in range(rows):
        buffer.add(*transition(reward, row / 10))
    return buffer


def transition(reward: float, at: float = 0.0) -> tuple[Any, ...]:
    here = np.full((1, 2), at, np.float32)
    return here, here + 0.5, np.array([1]), np.array([reward]), np.array([False]), [{}]


def make_mixed(added: list[Any] | None = None, simulated: int = 6) -> MixedReplayBuffer:
    def note(*given: Any) -> None:
        if added is not None:
            added.append(given)

    return MixedReplayBuffer(make_buffer(REAL), make_buffer(SIMULATED, simulated), note)


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, 0), (0.25, 8), (0.7, 22), (0.99, 32), (1.0, 32)]
)
def test_sample_has_simulated_share(share: float, expected: int) -> None:
    mixed = make_mixed()
    mixed.share = share
    batch = mixed.sample(32)
    assert [tuple(column.shape) for column in batch[:5]] == [
        (32, 2),
        (32, 1),
        (32, 2),
        (32, 1),
        (32, 1),
    ]
    assert batch.discounts is None
    assert (batch.rewards == SIMULATED).sum() == expected
    assert (batch.rewards == REAL).sum() == 32 - expected
    np.testing.assert_allclose(batch.next_observations - batch.observations, 0.5, atol=1e-6)
    assert (mixed.num_drawn, mixed.num_simulated) == (32, expected)


def test_sample_without_simulated_rows_is_real() -> None:
    mixed = make_mixed(simulated=0)
    mixed.share = 1.0
    assert (mixed.sample(16).rewards == REAL).all()


def test_add_resets_share() -> None:
    added: list[Any] = []
    mixed = make_mixed(added)
    mixed.share = 1.0
    new = transition(REAL)
    mixed.add(*new)
    assert added == [new]
    assert mixed.real.size() == 7
    assert (mixed.sample(32).rewards == REAL).all()


def test_attributes_are_real_buffers() -> None:
    mixed = make_mixed()
    assert isinstance(mixed, ReplayBuffer)
    assert (mixed.pos, mixed.full, mixed.size()) == (6, False, 6)
    mixed.dones[3] = True
    mixed.full = True
    assert mixed.real.dones[3, 0] == 1
    assert mixed.real.full
    with pytest.raises(AttributeError, match="nothing"):
        _ = mixed.nothing


def test_copy_is_real_buffer(tmp_path: Path) -> None:
    mixed = make_mixed()
    save_to_pkl(tmp_path / "buffer.pkl", mixed)
    for copied in (copy.deepcopy(mixed), load_from_pkl(tmp_path / "buffer.pkl")):
        assert type(copied) is ReplayBuffer
        np.testing.assert_array_equal(copied.rewards, mixed.real.rewards)
