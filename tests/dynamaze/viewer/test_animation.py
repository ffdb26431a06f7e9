"""Episodes as animations."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from dynamaze.agents import DynaQ
from dynamaze.envs import DynaMazeEnv
from dynamaze.viewer import animate


@pytest.fixture(scope="module")
def agent() -> DynaQ:
    return DynaQ("DynaMaze-v0", learning_rate=1.0, planning_steps=20, seed=1).learn(1500)


def test_animate_agent_episode(agent: DynaQ) -> None:
    animation = animate(agent, overlays=["values", "policy", "visits", "belief"])
    assert len(animation) == 15  # the start, and the 14 steps of the shortest path
    assert all(frame.shape == animation.frames[0].shape for frame in animation.frames)


def test_animate_html_is_self_contained(agent: DynaQ) -> None:
    html = animate(agent)._repr_html_()
    assert html.count("data:image/png;base64,") == 2  # the first frame, and the script's prefix
    sources = re.findall(r'(?:src|href)\s*=\s*"([^"]*)"', html)
    assert sources
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    written = re.sub(r"[A-Za-z0-9+/=]{200,}", "", html)  # without the pictures
    assert len(written) < 3_000
    assert not re.search(r"https?:|//|@import|url\(|fetch|require", written)


def test_animate_saves_gif(agent: DynaQ, tmp_path: Path) -> None:
    animate(agent).save(tmp_path / "episode.gif")
    assert (tmp_path / "episode.gif").read_bytes()[:6] == b"GIF89a"


def test_animate_leaves_agent_unchanged(agent: DynaQ) -> None:
    assert agent.env is not None
    maze = agent.env.unwrapped
    assert isinstance(maze, DynaMazeEnv)
    before = maze.get_state(), agent.values.get_state()["q"], agent.num_timesteps
    planning = agent.planning
    with pytest.raises(ValueError, match="DynaQ does not plan"):
        animate(agent, overlays=["planned"])
    animate(agent, episodes=2, overlays=["belief", "q"])
    assert agent.planning is planning
    assert maze.get_state() == before[0]
    np.testing.assert_array_equal(agent.values.get_state()["q"], before[1])
    assert agent.num_timesteps == before[2]
    assert maze.overlays.names == ()


def test_animate_copies_present_environment() -> None:
    agent = DynaQ("DynaMaze-v0", learning_rate=1.0, planning_steps=20, seed=1).learn(500)
    assert agent.env is not None
    maze = agent.env.unwrapped
    assert isinstance(maze, DynaMazeEnv)
    before = animate(agent, max_steps=1).frames[0]
    maze.change({"goal": (5, 8)})
    assert not np.array_equal(animate(agent, max_steps=1).frames[0], before)


def test_animate_stops_at_max_steps(agent: DynaQ) -> None:
    assert len(animate(agent, episodes=2)) == 30
    assert len(animate(agent, episodes=9, max_steps=20)) == 22
    assert len(animate(lambda _: 0, "DynaMaze-v0", max_steps=7)) == 8


def test_animate_accepts_functions_and_models() -> None:
    class Model:
        def predict(self, observation: Any, deterministic: bool) -> tuple[int, None]:
            assert deterministic
            return 1, None

    for policy in (lambda _: 1, Model()):
        animation = animate(policy, "DynaMaze-v0", max_steps=3, fps=4)
        assert (len(animation), animation.fps) == (4, 4)


def test_animate_other_environments() -> None:
    env = gym.make("FrozenLake-v1", render_mode="rgb_array")
    assert len(animate(lambda _: 0, env, max_steps=4, seed=1)) >= 5
    env.close()
    continuous = animate(
        lambda _: np.array([0.0, 1.0], dtype=np.float32), "DynaMazeContinuous-v0", max_steps=4
    )
    assert len(continuous) == 5


def test_animate_numbers_observations_for_table() -> None:
    env = gym.make("DynaMazeGenerated-v0", observation="index")
    agent = DynaQ(env, seed=1).learn(50)
    assert len(animate(agent, "DynaMazeGenerated-v0", max_steps=5, seed=1)) == 6


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"policy": 3}, TypeError, r"policy=3; expected an agent, .* or a function"),
        ({"policy": lambda _: 0, "env": None}, ValueError, r"env=None; expected an environment"),
        ({"env": "FrozenLake-v1", "overlays": ["q"]}, ValueError, "only mazes have overlays"),
        ({"overlays": ["q"]}, ValueError, "function has no table of the cells"),
        ({"overlays": ["tree"]}, ValueError, "has no search tree"),
        ({"overlays": ["heat"]}, ValueError, r"overlay='heat'; expected one of \['state-values'"),
        ({"episodes": 0}, ValueError, "episodes=0"),
        ({"max_steps": 0}, ValueError, "max_steps=0"),
        ({"fps": 0}, ValueError, "fps=0"),
    ],
)
def test_animate_rejects_invalid_arguments(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    given = {"policy": lambda _: 0, "env": "DynaMaze-v0", "max_steps": 2, **arguments}
    with pytest.raises(error, match=message):
        animate(**given)


def test_animate_rejects_environment_without_frames() -> None:
    with pytest.raises(ValueError, match=r"render_mode=None; expected 'rgb_array'"):
        animate(lambda _: 0, gym.make("FrozenLake-v1"))
