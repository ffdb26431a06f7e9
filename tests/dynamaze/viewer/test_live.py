"""Window and film of an agent of one's own, from Python."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from dynamaze.agents import DynaQ, QLearning
from dynamaze.viewer import live, record, watch
from dynamaze.viewer.session import Controls
from dynamaze.viewer.window import open_window

CORRIDOR = "S.G"


class Own:
    """Agent with `act` and `update`."""

    def __init__(self) -> None:
        self.rewards: list[float] = []

    def act(self, observation: Any) -> int:
        return 1

    def update(self, observation: Any, action: Any, reward: float, *_: Any) -> None:
        self.rewards.append(reward)


class Predicts:
    """Policy as of Stable-Baselines3."""

    def predict(self, observation: Any) -> tuple[int, None]:
        return 1, None


class Learner(Predicts):
    """Agent with a loop of its own, which a factory makes."""

    def __init__(self, env: Any, seed: int) -> None:
        self.env = env

    def learn(self, total_timesteps: int) -> None:
        self.env.reset(seed=1)
        for _ in range(total_timesteps):
            if any(self.env.step(1)[2:4]):
                self.env.reset()


def corridor() -> gym.Env[Any, Any]:
    return gym.make("DynaMaze-v0", layout=CORRIDOR)


@pytest.mark.usefixtures("pygame")
@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (Own(), "Own"),
        (Predicts(), "Predicts"),
        (lambda observation: 1, "function"),
        (Learner, "Learner"),
        (partial(Learner), "Learner"),
    ],
)
def test_watch_every_kind_of_agent(agent: Any, name: str) -> None:
    assert watch(agent, corridor(), steps=6, fps=0) == (
        f"{name} in DynaMaze-v0: 6 steps, 3 episodes, 2.0 steps per episode over the last 3, "
        "regret 0"
    )


@pytest.mark.usefixtures("pygame")
def test_watched_agents_learn_themselves() -> None:
    own = Own()
    watch(own, corridor(), steps=5, fps=0)
    assert own.rewards == [0.0, 1.0, 0.0, 1.0, 0.0]
    agent = DynaQ("DynaMaze-v0", seed=1)
    alone = DynaQ("DynaMaze-v0", seed=1).learn(50)
    env = agent.env
    assert watch(agent, steps=50, fps=0, seed=0, overlays=["state-values", "planned"]).startswith(
        "DynaQ in DynaMaze-v0: 50 steps"
    )
    assert agent.env is env
    np.testing.assert_array_equal(agent.values.q, alone.values.q)  # type: ignore[attr-defined]
    agent.learn(50)  # in its own environment
    assert agent.num_timesteps == 100


@pytest.mark.usefixtures("pygame")
def test_watch_gives_environment_back() -> None:
    env = gym.make("DynaMaze-v0")
    maze: Any = env.unwrapped
    maze.set_overlay(values=np.arange(54.0))
    before = maze.overlays
    watch(partial(QLearning), env, steps=3, fps=0, overlays=["values", "visits"], seed=1)
    assert maze.render_mode is None
    assert maze.overlays is before
    env.reset()  # it is open


def test_watch_obeys_keys(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def open_for_user(title: str) -> Any:
        user.window = open_window(title)
        return user.window

    monkeypatch.setattr(live, "open_window", open_for_user)
    monkeypatch.setattr(
        live, "Controls", lambda fps: Controls(fps, clock=user.clock, sleep=user.sleep)
    )
    user.script = [user.keys("SPACE"), user.keys("n"), user.keys("q")]
    summary = watch(lambda observation: 1, "DynaMaze-v0", fps=10, seed=1)
    assert summary.startswith("function in DynaMaze-v0: 2 steps")
    assert user.window.title == "function in DynaMaze-v0 (paused)"


def test_watch_without_display_suggests_record(
    pygame: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SDL_VIDEODRIVER")
    monkeypatch.setattr(pygame.display, "get_driver", lambda: "offscreen")
    with pytest.raises(RuntimeError, match=r"no display .*dynamaze\.viewer\.record makes a film"):
        watch(Own(), "DynaMaze-v0")


@pytest.mark.usefixtures("pygame")
@pytest.mark.parametrize("show", [watch, record])
@pytest.mark.parametrize(
    ("agent", "env", "options", "error", "message"),
    [
        (Own(), None, {}, ValueError, "env=None; expected an environment or its id"),
        (Own(), 5, {}, TypeError, "env=5; expected an environment or its id"),
        (Own(), "DynaMaze-v0", {"steps": 0}, ValueError, "steps=0; expected a whole number"),
        (Own(), "DynaMaze-v0", {"fps": -1}, ValueError, "fps=-1"),
        (Own(), "DynaMaze-v0", {"overlays": ["values"]}, ValueError, "overlay 'values': Own has"),
        (3, "DynaMaze-v0", {}, ValueError, "agent of type int; expected one of"),
        (Own(), "CartPole-v1", {"render_mode": None}, ValueError, "render_mode=None; expected 'rg"),
        (
            partial(DynaQ)("DynaMaze-v0"),
            "DynaMazeContinuous-v0",
            {},
            ValueError,
            "expected Spaces",
        ),
    ],
)
def test_watch_rejects_invalid_arguments(
    show: Callable[..., Any],
    agent: Any,
    env: Any,
    options: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    if "render_mode" in options:
        env = gym.make(env, **options)
        options = {}
    with pytest.raises(error, match=message):
        show(agent, env, **options)


def test_record_film_of_learning() -> None:
    agent = DynaQ("DynaMaze-v0", seed=1)
    film = record(agent, steps=12, fps=5, overlays=["values"], dark=True, seed=0)
    assert (len(film), film.fps, agent.num_timesteps) == (12, 5, 12)
    assert len({frame.tobytes() for frame in film.frames}) == 12
    page = film._repr_html_()
    assert "http" not in page
    assert page.count("<input") == page.count("<button") == 1
    assert 'max="11"' in page
