"""The four forms of observation: their spaces, and that one world and many see the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from dynamaze.envs import DynaMazeEnv, Schedule, read_schedule
from dynamaze.envs.observation import OBSERVATIONS, make_observation

SPACES = {
    "index": spaces.Discrete(54),
    "coordinates": spaces.MultiDiscrete([6, 9]),
    "one_hot": spaces.Box(0.0, 1.0, (54,), np.float32),
    "planes": spaces.Box(0.0, 1.0, (3, 6, 9), np.float32),
}


@pytest.fixture(scope="module")
def blocking() -> Schedule:
    return read_schedule("blocking")


def test_there_are_four_forms_each_with_the_documented_space(blocking: Schedule) -> None:
    assert set(OBSERVATIONS) == set(SPACES)
    for name, space in SPACES.items():
        assert make_observation(name, blocking).space == space
        assert DynaMazeEnv("blocking", observation=name).observation_space == space


@pytest.mark.parametrize("name", sorted(SPACES))
def test_every_state_of_every_phase_is_in_the_space(name: str, blocking: Schedule) -> None:
    observation = make_observation(name, blocking)
    seen = [observation.one(state, phase) for phase in range(2) for state in range(54)]
    assert all(observation.space.contains(one) for one in seen)
    distinct = {np.asarray(one).tobytes() for one in seen}
    assert len(distinct) == (108 if name == "planes" else 54)


@pytest.mark.parametrize("name", sorted(SPACES))
def test_many_are_the_single_ones_stacked(name: str, blocking: Schedule) -> None:
    observation = make_observation(name, blocking)
    rng = np.random.default_rng(0)
    states, phases = rng.integers(54, size=40), rng.integers(2, size=40)
    many = observation.many(states, phases)
    pairs = zip(states.tolist(), phases.tolist(), strict=True)
    stacked = np.stack([observation.one(state, phase) for state, phase in pairs])
    assert (many.dtype, many.shape) == (stacked.dtype, stacked.shape)
    np.testing.assert_array_equal(many, stacked)


@pytest.mark.parametrize("name", sorted(SPACES))
def test_what_is_handed_out_is_the_callers_own(name: str, blocking: Schedule) -> None:
    observation = make_observation(name, blocking)
    states, phases = np.array([3, 5]), np.array([0, 1])
    for call in (lambda: observation.many(states, phases), lambda: observation.one(3, 1)):
        first: Any = call()
        if isinstance(first, int):
            continue
        kept = first.copy()
        first[...] = 1
        np.testing.assert_array_equal(call(), kept)
    assert states.tolist() == [3, 5]


def test_an_index_is_a_plain_int() -> None:
    env = DynaMazeEnv("S.G")
    assert type(env.reset(seed=0)[0]) is int
    assert type(env.step(1)[0]) is int


def test_planes_are_walls_agent_and_every_goal_of_the_phase() -> None:
    planes = make_observation("planes", read_schedule("S#G\n..G", {5: "S.G\n#G."}))
    before, after = planes.one(3, 0).tolist(), planes.one(3, 1).tolist()
    assert before == [[[0, 1, 0], [0, 0, 0]], [[0, 0, 0], [1, 0, 0]], [[0, 0, 1], [0, 0, 1]]]
    assert after == [[[0, 0, 0], [1, 0, 0]], [[0, 0, 0], [1, 0, 0]], [[0, 0, 1], [0, 1, 0]]]


@pytest.mark.parametrize("name", ["plane", "", None, 3, ["index"], "Index"])
def test_an_unknown_form_is_refused_with_those_that_are_known(
    name: Any, blocking: Schedule
) -> None:
    known = r"\['coordinates', 'index', 'one_hot', 'planes'\]"
    with pytest.raises(ValueError, match=f"observation=.*; expected one of {known}"):
        make_observation(name, blocking)
