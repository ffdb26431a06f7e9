"""Copies, states, specs and rendering of the single environment."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec

import dynamaze  # noqa: F401
from dynamaze.envs import ACTIONS, DynaMazeEnv

from .helpers import COPIES, SEVERAL, Same, wander


def stochastic(render_mode: str | None = None, **more: Any) -> DynaMazeEnv:
    env = DynaMazeEnv(SEVERAL, slip_probability=0.3, render_mode=render_mode, **more)
    env.metadata = {**env.metadata, "render_fps": 0}  # a window need not wait
    env.reset(seed=4)
    wander(env, 30)
    return env


@pytest.mark.parametrize("observation", ["index", "planes"])
def test_seed_determines_run(observation: str, same: Same) -> None:
    one, other = (stochastic(observation=observation) for _ in range(2))
    same(tuple(wander(one, 500)), tuple(wander(other, 500)))


@pytest.mark.parametrize("render_mode", [None, "rgb_array", "ansi", "human"])
@pytest.mark.parametrize("make_copy", COPIES)
def test_copy_continues_identically(
    make_copy: Callable[[Any], Any], render_mode: str | None, same: Same
) -> None:
    env = stochastic(render_mode)
    if render_mode is not None:
        env.render()
    other = make_copy(env)
    same(tuple(wander(env, 60)), tuple(wander(other, 60)))
    env.close()
    other.close()


def test_state_round_trips_json(same: Same) -> None:
    env = stochastic()
    state = json.loads(json.dumps(env.get_state()))
    expected = wander(env, 300)
    env.set_state(state)
    same(tuple(wander(env, 300)), tuple(expected))
    other = DynaMazeEnv(SEVERAL, slip_probability=0.3)
    other.set_state(state)
    same(tuple(wander(other, 300)), tuple(expected))


@pytest.mark.parametrize(
    "change",
    [
        {"state": 99},
        {"state": "up"},
        {"world_step": -1},
        {"rng": {"bit_generator": "MT19937"}},
        {"uniforms": ["x"]},
    ],
)
def test_state_is_checked(change: dict[str, Any]) -> None:
    env = stochastic()
    before = env.get_state()
    with pytest.raises(ValueError, match="state"):
        env.set_state({**before, **change})
    with pytest.raises(ValueError, match="'rng'"):
        env.set_state({name: value for name, value in before.items() if name != "rng"})
    assert env.get_state() == before


def test_spec_round_trips_json() -> None:
    env = gym.make("DynaMazeBlocking-v0", changes=[[5, "dyna"]], slip_probability=0.5)
    assert env.spec is not None
    again = gym.make(EnvSpec.from_json(env.spec.to_json()))
    assert again.unwrapped.schedule == env.unwrapped.schedule  # type: ignore[attr-defined]
    assert again.unwrapped.slip_probability == 0.5  # type: ignore[attr-defined]


# -- rendering ---------------------------------------------------------------------------------


def test_render_frame_and_text() -> None:
    env = DynaMazeEnv("S.G\n.#.", render_mode="rgb_array")
    env.reset(seed=0)
    frame = env.render()
    assert frame.dtype == np.uint8
    assert frame.ndim == 3
    text = DynaMazeEnv("S.G\n.#.", render_mode="ansi")
    text.reset(seed=0)
    assert text.render() == "A.G\n.#."
    text.step(1)
    assert text.render() == "SAG\n.#."


def test_changed_cells_are_highlighted() -> None:
    env = DynaMazeEnv("S.G\n...", {2: "S#G\n..."}, render_mode="rgb_array")
    env.reset(seed=0)
    assert env.scene().changed is None
    env.step(3)
    env.step(3)
    scene = env.scene()
    assert scene.changed is not None
    assert np.argwhere(scene.changed).tolist() == [[0, 1]]
    env.world_step = 500
    assert env.scene().changed is None


def test_highlight_fades_by_tenths() -> None:
    env = DynaMazeEnv("S.G\n...", {7: "S#G\n...", 200: "S.G\n..."})
    env.reset(seed=0)
    ages = (0, 9, 10, 55, 99)
    for change in (7, 200):
        strengths = []
        for age in ages:
            env.world_step = change + age
            strengths.append(env.scene().changed_strength)
        assert strengths == pytest.approx([1.0, 1.0, 0.9, 0.5, 0.1])
    env.world_step = 107
    assert env.scene().changed is None


def test_trail_holds_latest_cells() -> None:
    env = DynaMazeEnv("dyna", render_mode="ansi")
    env.reset(seed=0)
    assert env.scene().trail == ()
    cells = []
    for action in np.random.default_rng(0).integers(4, size=150).tolist():
        env.step(action)
        cells.append(env.agent)
        assert env.scene().trail == tuple(cells[-64:])
    env.reset()
    assert env.scene().trail == ()


def test_window_shows_every_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[np.ndarray] = []

    class Recorder:
        closed_by_user, resized_to = False, (96, 32)  # the size of the array

        def __init__(self, title: str, *, fps: float) -> None:
            assert (title.partition(" (")[0], fps) == ("DynaMazeEnv", 30)

        def show(self, frame: np.ndarray) -> None:
            shown.append(frame.copy())

        def close(self) -> None:
            pass

    monkeypatch.setattr("dynamaze.envs.rendering.window.RenderWindow", Recorder)
    human, array = (DynaMazeEnv("S.G", render_mode=mode) for mode in ("human", "rgb_array"))
    expected = []
    for call in (lambda env: env.reset(seed=0), *[lambda env: env.step(1)] * 2):
        call(human)
        call(array)
        expected.append(array.render())
    np.testing.assert_array_equal(shown, expected)
    human.close()
    assert human.window is None


def test_keys_move_agent() -> None:
    keys = DynaMazeEnv().get_keys_to_action()
    assert {key: ACTIONS[action] for (key,), action in keys.items()} == {
        "w": "up",
        "d": "right",
        "s": "down",
        "a": "left",
    }


def test_render_without_mode_warns() -> None:
    env = DynaMazeEnv()
    env.reset(seed=0)
    with pytest.warns(UserWarning, match="render mode"):
        assert env.render() is None


def test_windows_are_independent() -> None:
    one, other = (DynaMazeEnv(render_mode="human") for _ in range(2))
    for env in (one, other):
        env.metadata = {**env.metadata, "render_fps": 0}
        env.reset(seed=0)
    one.close()
    assert other.step(0)[4]["world_step"] == 1
    one.reset()
    one.step(0)
    assert one.window is not None
    one.close()
    one.close()
    other.close()


def test_record_video_writes_episode(tmp_path: Path) -> None:
    pytest.importorskip("moviepy")
    env = gym.wrappers.RecordVideo(
        gym.make("DynaMaze-v0", layout="S..G", render_mode="rgb_array"),
        str(tmp_path / "videos"),
        episode_trigger=lambda episode: episode == 0,
    )
    env.reset(seed=0)
    for _ in range(3):
        env.step(1)
    env.close()
    (video,) = (tmp_path / "videos").glob("*.mp4")
    assert video.stat().st_size > 0


@pytest.mark.parametrize("observation", ["one_hot", "index"])
def test_sb3_trains_dqn(observation: str) -> None:
    sb3 = pytest.importorskip("stable_baselines3")
    env = gym.make("DynaMaze-v0", observation=observation, max_episode_steps=100)
    model = sb3.DQN("MlpPolicy", env, learning_starts=20, buffer_size=500, seed=0, device="cpu")
    model.learn(120)
    assert model.num_timesteps == 120
    action, _ = model.predict(env.reset(seed=0)[0], deterministic=True)
    assert env.action_space.contains(int(action))
    assert env.step(action)[4]["world_step"] >= 1


@pytest.mark.parametrize("cell", [0, 3])
def test_state_in_wall_is_refused(cell: int) -> None:
    env = DynaMazeEnv("#SG#")
    env.reset(seed=0)
    before = env.get_state()
    with pytest.raises(ValueError, match="wall"):
        env.set_state({**before, "state": cell})
    assert env.get_state() == before
