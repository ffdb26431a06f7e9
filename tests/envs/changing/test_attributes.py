"""Attributes that change: their checks, those derived from others, and their original values."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from dynamaze.envs import ChangingEnv, at

DRY: Any = gym.make("FrozenLake-v1", is_slippery=False).unwrapped.P  # type: ignore[attr-defined]


def test_derived_attributes_follow_unless_named() -> None:
    pole: Any = ChangingEnv(gym.make("CartPole-v1"), [at(1, {"masspole": 0.5})])
    pole.reset(seed=0)
    pole.step(0)
    inner = pole.unwrapped
    assert (inner.total_mass, inner.polemass_length) == (1.5, 0.25)
    pole.change({"length": 2.0, "polemass_length": 0.7})
    assert (inner.length, inner.polemass_length) == (2.0, 0.7)
    pole.reset(seed=0)
    assert (inner.total_mass, inner.polemass_length, inner.length) == (1.1, 0.05, 0.5)


class Strict(gym.Env[int, int]):
    """Environment with attributes of several kinds."""

    observation_space = gym.spaces.Discrete(2)
    action_space = gym.spaces.Discrete(2)

    def __init__(self) -> None:
        self.matrix = np.eye(2)
        self.names = np.array([b"a", b"b"])
        self.flag, self.word, self.pair = True, "up", (1, 2.5)
        self.weights = {"a": 1.0, "b": 2.0}
        self.nothing = None
        self.inner = type("Inner", (), {"gravity": 1.0})()

    @property
    def fixed(self) -> int:
        return 3

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        return 0, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        return 0, 0.0, False, False, {}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"flagg": False}, ValueError, "attribute 'flagg', which Strict does not have.*'flag'"),
        ({"fixed": 4}, ValueError, "attribute 'fixed' of Strict, which is read-only"),
        ({"action_space": 4}, ValueError, "'action_space' of Strict, which must not change"),
        ({"flag": 1}, TypeError, "flag=1; expected a bool"),
        ({"word": 1}, TypeError, "word=1; expected a str"),
        ({"matrix": np.eye(3)}, ValueError, r"matrix of shape \(3, 3\); expected \(2, 2\)"),
        ({"matrix": [[1], [2, 3]]}, ValueError, r"matrix of shape \(\)"),
        ({"matrix": [["a", "b"]] * 2}, TypeError, "matrix of dtype <U1; expected float64"),
        ({"names": ["abc", "d"]}, ValueError, r"expected texts of dtype \|S1"),
        ({"pair": (1,)}, ValueError, "pair of length 1; expected 2"),
        ({"pair": "ab"}, TypeError, "pair='ab'; expected a tuple"),
        ({"pair": (1, "x")}, TypeError, r"pair\[1\]='x'; expected a finite number"),
        ({"weights": {"a": 1.0}}, ValueError, "weights with the keys .*expected those of"),
        ({"weights": 3}, TypeError, "weights=3; expected a mapping"),
        ({"weights": {"a": 1, "b": np.nan}}, ValueError, r"weights\['b'\]=nan"),
        ({"inner.mass": 1}, ValueError, "'inner.mass', which Strict does not have"),
        ({3: 1}, TypeError, "the attribute 3; expected a name"),
        ({}, TypeError, "expected a mapping of attributes"),
        (lambda env: None, TypeError, "the change None; expected a mapping"),
        (lambda env: {"flagg": 1}, ValueError, "did you mean 'flag'"),
    ],
)
def test_bad_change_changes_nothing(change: Any, error: type[Exception], message: str) -> None:
    env = Strict()
    before = copy.deepcopy(vars(env))
    with pytest.raises(error, match=f"^changes: .*{message}"):
        ChangingEnv(env, {5: {"word": "down"}, 7: change})
    assert str(vars(env)) == re.sub("0x[0-9a-f]+", hex(id(env.inner)), str(before))
    changing = ChangingEnv(env, {})
    with pytest.raises(error, match=message):
        changing.change(change)
    assert (changing.phase, env.word) == (0, "up")


def test_values_take_the_present_form() -> None:
    change = {
        "matrix": [[1, 2], [3, 4]],
        "names": ["c", "d"],
        "pair": [7, 3],
        "weights": {"b": 4, "a": 3},
        "nothing": {"any": "thing"},
        "inner.gravity": 2,
    }
    env: Any = ChangingEnv(Strict(), {1: change})
    env.reset(seed=0)
    env.step(0)
    inner = env.unwrapped
    assert inner.matrix.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert inner.matrix.dtype == np.float64
    assert inner.names.tolist() == [b"c", b"d"]
    assert (inner.pair, inner.weights) == ((7, 3), {"a": 3, "b": 4})
    assert (inner.nothing, inner.inner.gravity) == ({"any": "thing"}, 2)
    inner.matrix[0, 0] = 9.0  # the environment's own
    env.reset(seed=0)
    assert inner.matrix.tolist() == np.eye(2).tolist()
    env.step(0)
    assert inner.matrix[0, 0] == 1.0


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda P: P.pop(3), "P with the keys"),
        (lambda P: P[3].pop(1), r"P\[3\] with the keys"),
        (lambda P: P[3].update({1: [(0.5, 0, 0, False)]}), r"P\[3\]\[1\].* sum to 0.5; expected 1"),
        (lambda P: P[3].update({1: [(1.0, 16, 0, False)]}), "leads to state 16"),
        (lambda P: P[3].update({1: [(1.0, 0, 0)]}), "expected a list of .probability"),
        (lambda P: P[3].update({1: [(1.0, 0, 0, 1)]}), "expected a list of .probability"),
        (lambda P: P[3].update({1: []}), "expected a list of .probability"),
    ],
)
def test_bad_table_is_named(edit: Callable[[Any], Any], message: str) -> None:
    bad = copy.deepcopy(DRY)
    edit(bad)
    env = gym.make("FrozenLake-v1")
    with pytest.raises(ValueError, match=message):
        ChangingEnv(env, {5: {"P": bad}})
