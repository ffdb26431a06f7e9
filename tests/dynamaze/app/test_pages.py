"""Environments' pages: equal to the docstrings, complete, and with an animation each."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from dynamaze.app.pages import FRAMES, Pages, as_markdown, main, optimal_action, page, walk_frames
from dynamaze.common.registration import ENVIRONMENTS
from dynamaze.envs.base import MazeEnv
from dynamaze.envs.options import EnvOptions, MazeOptions

DOCS = Path(__file__).parents[3] / "docs" / "environments"

ERRORS = {"LayoutError", "ValueError", "TypeError"}
HEADINGS = [
    "Description",
    "Action Space",
    "Observation Space",
    "Starting State",
    "Rewards",
    "Episode End",
    "Information",
    "Arguments",
    "Version History",
]


@pytest.mark.parametrize("env_id", ENVIRONMENTS)
def test_docstring_headings_and_arguments(env_id: str) -> None:
    maze = gym.make(env_id).unwrapped
    docstring = inspect.getdoc(type(maze)) or ""
    assert re.findall(r"^## (.*)$", docstring, flags=re.M) == HEADINGS
    arguments = inspect.signature(type(maze).__init__).parameters
    options = MazeOptions if "MazeOptions" in arguments["options"].annotation else EnvOptions
    documented = re.findall(r"^    (\w+): ", docstring, flags=re.M)
    expected = {*arguments, *options.__annotations__} - {"self", "options"}
    assert expected == set(documented) - ERRORS
    assert len(documented) == len(set(documented))
    assert "**options" not in docstring
    assert env_id in docstring


@pytest.mark.parametrize("env_id", ENVIRONMENTS)
def test_stored_pages_are_current(env_id: str) -> None:
    assert (DOCS / f"{env_id}.md").read_text(encoding="utf-8") == page(env_id), "dynamaze env-pages"
    assert (DOCS / f"{env_id}.gif").read_bytes()[:6] == b"GIF89a"


def test_main_writes_pages_and_animations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dynamaze.app.pages.FRAMES", 2)
    main(Pages(output=tmp_path / "some" / "where"))
    made = sorted(path.name for path in (tmp_path / "some" / "where").iterdir())
    assert made == sorted(f"{env_id}.{kind}" for env_id in ENVIRONMENTS for kind in ("gif", "md"))


def test_as_markdown_lists_arguments() -> None:
    text = (
        "Head.\n\nArgs:\n    one: first\n        and more.\n    two: second.\n\n"
        "Raises:\n    ValueError: no.\n\nEnd."
    )
    assert as_markdown(text) == (
        "Head.\n\n* `one`: first and more.\n* `two`: second.\n\n"
        "Errors:\n\n* `ValueError`: no.\n\nEnd."
    )


def test_walk_frames_show_change() -> None:
    shown = list(walk_frames("DynaMazeShortcut-v0"))
    assert len(shown) >= FRAMES
    env: Any = gym.make("DynaMazeShortcut-v0", render_mode="rgb_array", max_episode_steps=-1)
    env.reset(seed=0, options={"world_step": 3000})
    gap = (slice(3 * 32, 4 * 32), slice(8 * 32, 9 * 32))
    assert not np.array_equal(shown[0][gap], env.render()[gap])


@pytest.mark.parametrize("env_id", ENVIRONMENTS)
def test_optimal_action_reaches_goal(env_id: str) -> None:
    env = gym.make(env_id)
    env.reset(seed=3)
    maze = env.unwrapped
    assert isinstance(maze, MazeEnv)
    shortest, steps, terminated = maze.layout.shortest_path_length, 0, False
    while not terminated and steps < 300:
        _, _, terminated, _, _ = env.step(optimal_action(maze))
        steps += 1
    assert terminated
    # A drifting maze moves its walls, and the larger reward of LoCA may be farther away.
    plain = not any(kind in env_id for kind in ("Drifting", "LoCA"))
    if isinstance(env.action_space, gym.spaces.Discrete) and plain:
        assert steps == shortest
