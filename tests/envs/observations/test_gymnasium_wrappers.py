"""Observations in Gymnasium's wrappers, single and vector ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import wrappers
from gymnasium.wrappers import vector as vector_wrappers

import dynamaze  # noqa: F401
from dynamaze.envs import Layout
from dynamaze.envs.observations import make_encoder

BOX = {"kind": "coordinates", "dtype": "float32"}

WRAPPERS: dict[str, Callable[[Any, Any], Any]] = {
    "dtype": lambda env, made: made.DtypeObservation(env, np.float32),
    "flatten": lambda env, made: made.FlattenObservation(env),
    "normalise": lambda env, made: made.NormalizeObservation(env),
    "rescale": lambda env, made: made.RescaleObservation(env, np.float32(-1), np.float32(1)),
    "reshape": lambda env, made: made.ReshapeObservation(env, (2, 1)),
    "transform": lambda env, made: made.TransformObservation(
        env, lambda x: x, env.observation_space
    ),
}


def check_observations(env: Any) -> None:
    env.action_space.seed(0)
    contains = env.observation_space.contains
    if isinstance(env, vector_wrappers.NormalizeObservation):
        contains = np.isfinite  # before Gymnasium 1.2 its space has the bounds of the original
    assert np.all(contains(env.reset(seed=0)[0]))
    for _ in range(20):
        assert np.all(contains(env.step(env.action_space.sample())[0]))


@pytest.mark.parametrize("name", WRAPPERS)
def test_wrappers_take_coordinates(name: str) -> None:
    single = gym.make("DynaMaze-v0", observation=BOX)
    check_observations(WRAPPERS[name](single, wrappers))
    check_observations(
        WRAPPERS[name](gym.make_vec("DynaMaze-v0", num_envs=3, observation=BOX), vector_wrappers)
    )


@pytest.mark.parametrize("observation", ["index", "coordinates", "goal", "planes", "window"])
def test_wrappers_take_observations(observation: str) -> None:
    for env in (
        wrappers.FrameStackObservation(gym.make("DynaMaze-v0", observation=observation), 3),
        wrappers.FlattenObservation(gym.make("DynaMaze-v0", observation=observation)),
        vector_wrappers.FlattenObservation(
            gym.make_vec("DynaMaze-v0", num_envs=3, observation=observation)
        ),
    ):
        check_observations(env)
    if observation == "coordinates":
        check_observations(
            wrappers.DtypeObservation(gym.make("DynaMaze-v0", observation=observation), np.int16)
        )


def test_coordinates_dtype_changes_space_alone() -> None:
    envs = [gym.make("DynaMaze-v0", observation=kind) for kind in ("coordinates", BOX)]
    assert envs[1].observation_space == gym.spaces.Box(
        np.float32([0, 0]), np.float32([5, 8]), dtype=np.float32
    )
    for env in envs:
        env.reset(seed=0)
    for action in (1, 2, 0, 1, 1):
        discrete, box = (env.step(action)[0] for env in envs)
        assert (discrete == box).all()
        assert box.dtype == np.float32
    again = gym.make(gym.envs.registration.EnvSpec.from_json(envs[1].spec.to_json()))  # type: ignore[union-attr]
    assert again.observation_space == envs[1].observation_space


@pytest.mark.parametrize("dtype", ["complex64", "bool", "U3", "float31", object, 3])
def test_coordinates_reject_dtype(dtype: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="dtype="):
        make_encoder({"kind": "coordinates", "dtype": dtype}, Layout.from_text("S.G"))


def test_coordinates_reject_narrow_dtype() -> None:
    wide = Layout(np.zeros((1, 300), dtype=bool), ((0, 0),), ((0, 299),))
    with pytest.raises(ValueError, match="numbers up to 299"):
        make_encoder({"kind": "coordinates", "dtype": "uint8"}, wide)


def test_agent_pos_is_column_and_row() -> None:
    env: Any = gym.make("DynaMaze-v0", layout="S..\n..G").unwrapped
    assert (env.agent_pos, env.width, env.height) == (None, 3, 2)
    env.reset(seed=0)
    env.step(1)
    assert (env.agent_pos, env.agent) == ((1, 0), (0, 1))
    env.step(2)
    assert (env.agent_pos, env.agent) == ((1, 1), (1, 1))
    env = gym.make("DynaMazeContinuous-v0", layout="S..\n..G").unwrapped
    env.reset(seed=0)
    assert env.agent_pos == env.agent[::-1] == (0, 0)
