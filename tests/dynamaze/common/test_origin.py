"""Origins of states: digests of plain data, specs and wrappers."""

from __future__ import annotations

from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.wrappers import RecordEpisodeStatistics, TransformReward, vector

import dynamaze  # noqa: F401
from dynamaze.common.origin import Origin, digest_of


def test_digest_has_one_form() -> None:
    one = {"b": (1, 2.5, None), "a": np.array([1.0, -0.0]), 3: np.float32(0.5)}
    other = {"3": 0.5, "a": [1, 0], "b": [1.0, np.float64(2.5), None]}
    assert digest_of(one) == digest_of(other)
    assert digest_of({"a": 1}) != digest_of({"a": True}) != digest_of({"a": "1"})
    # of all processes and versions of Python
    assert digest_of([0.1, "é"]).startswith("925e1144")


class Scale(gym.RewardWrapper[Any, Any]):
    """Wrapper that stores its argument as an attribute, and counts."""

    def __init__(self, env: gym.Env[Any, Any], factor: float) -> None:
        super().__init__(env)
        self._factor, self.calls = factor, np.random.default_rng().random()

    def reward(self, reward: Any) -> float:
        return self._factor * float(reward)


def scaled(factor: float) -> gym.Env[Any, Any]:
    return TransformReward(lake(), lambda reward: factor * float(reward))


def times(factor: float, reward: Any) -> float:
    return factor * float(reward)


def lake(**arguments: Any) -> gym.Env[Any, Any]:
    return gym.make("FrozenLake-v1", **arguments)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (lake(), lake(render_mode="ansi", max_episode_steps=3), False),
        (lake(), lake(is_slippery=False), True),
        (lake(), lake(is_slippery=True, map_name="4x4"), False),
        (lake(), lake().unwrapped, False),
        (Scale(lake(), 2), Scale(lake(), 2.0), False),
        (Scale(lake(), 2), Scale(lake(), 3), True),
        (scaled(2), scaled(2), False),
        (scaled(2), scaled(3), True),
        (TransformReward(lake(), lambda r: 2), TransformReward(lake(), lambda r: 3), True),
        (
            TransformReward(lake(), partial(times, 2)),
            TransformReward(lake(), partial(times, 3)),
            True,
        ),
        (
            vector.TransformReward(gym.make_vec("DynaMaze-v0", 2), abs),
            gym.make_vec("DynaMaze-v0", 2),
            True,
        ),
        (lake(), gym.make("DynaMaze-v0"), True),
        (lake(), RecordEpisodeStatistics(lake()), False),
        (lake(), TransformReward(lake(), abs), True),
        (gym.make("DynaMaze-v0"), TransformReward(gym.make("DynaMaze-v0"), abs), True),
        (gym.make("DynaMaze-v0"), RecordEpisodeStatistics(gym.make("DynaMaze-v0")), False),
        (gym.make_vec("DynaMaze-v0", 2), gym.make_vec("DynaMaze-v0", 3), False),
        (
            gym.make_vec("DynaMaze-v0", 2),
            gym.make_vec("DynaMaze-v0", 2, vectorization_mode="sync"),
            False,
        ),
    ],
)
def test_is_other(one: Any, other: Any, expected: bool) -> None:
    origins = Origin.of(one), Origin.of(other)
    assert origins[0].is_other(origins[1]) is origins[1].is_other(origins[0]) is expected
    for origin in origins:
        assert Origin.from_json(origin._asdict()) == origin


def test_environment_without_spec_is_unknown() -> None:
    class Unknown(gym.Env[Any, Any]):
        """Environment of which nothing is known."""

    origin = Origin.of(Unknown())
    assert origin == ("Unknown", None, None)
    assert not origin.is_other(Origin.of(lake()))
    assert str(origin) == "Unknown"


def test_text_names_arguments() -> None:
    text = str(Origin.of(gym.make("DynaMaze-v0", layout="S.G\n...")))
    assert text.startswith(r"DynaMaze-v0(layout='S.G\n...') with configuration ")
    assert str(Origin("a\x1b[2J", "\n", None)).isprintable()


@pytest.mark.parametrize("data", [3, {}, {"name": 1, "digest": None, "spec": None}, "x"])
def test_forged_origin_is_refused(data: Any) -> None:
    with pytest.raises(ValueError, match=r"environment .*; expected"):
        Origin.from_json(data)
