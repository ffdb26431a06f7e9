"""Environments of the viewer, and pictures of them."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from dynamaze.envs.rendering.frame import fitting_cell_size
from dynamaze.viewer.environment import BLANK_FRAME, Camera, make_env, with_drawn_changes


@pytest.mark.parametrize(("table", "space"), [(False, "Box"), (True, "Discrete")])
def test_make_env_numbers_observations_for_table(table: bool, space: str) -> None:
    env = make_env("DynaMazeGenerated-v0", table=table, size=5, slip_probability=None)
    assert type(env.observation_space).__name__ == space
    assert env.render_mode == "rgb_array"


@pytest.mark.parametrize(
    ("rows", "cols", "size"),
    [(6, 9, 64), (15, 15, 48), (51, 51, 14), (1, 3, 64), (300, 300, 2), (2000, 2000, 1)],
)
def test_fitting_cell_size_values(rows: int, cols: int, size: int) -> None:
    assert fitting_cell_size(rows, cols, (960, 720), largest=64) == size


def test_camera_renders_maze_and_finds_cells() -> None:
    env = gym.make("DynaMaze-v0", render_mode="rgb_array")
    env.reset(seed=1)
    camera = Camera(env, (960, 720))
    assert camera.render().shape == (6 * 64, 9 * 64, 3)
    assert camera.cell_at(0, 0) == (0, 0)
    assert camera.cell_at(9 * 64 - 1, 6 * 64 - 1) == (5, 8)
    assert camera.cell_at(-1, 0) is camera.cell_at(9 * 64, 0) is camera.cell_at(0, 6 * 64) is None


def test_camera_magnifies_other_environments() -> None:
    class Tiny(gym.Env[Any, Any]):
        metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012  # Gymnasium's own declaration
        render_mode = "rgb_array"
        picture: Any = np.zeros((20, 30, 3), dtype=np.uint8)

        def render(self) -> Any:
            return self.picture

    env = Tiny()
    camera = Camera(env, (100, 100))
    assert camera.render().shape == (60, 90, 3)
    assert camera.cell_at(3, 3) is None
    env.picture = None
    assert camera.render() is BLANK_FRAME


def test_drawn_changes_do_not_depend_on_agent() -> None:
    def layouts(seed: int, action: int) -> list[Any]:
        made = make_env("DynaMazeAdaptation-v0", observation="index", change_steps=(20, 20))
        env = with_drawn_changes(made, seed, 60)
        env.reset(seed=5)
        found = []
        for _ in range(60):
            env.step(action)
            found.append(env.unwrapped.layout)
        assert env.observation_space == made.observation_space
        return found

    first = layouts(3, 0)
    assert first == layouts(3, 2)
    assert first != layouts(4, 0)
    assert [index for index in range(1, 60) if first[index] != first[index - 1]] == [19]


def test_drawn_changes_keep_limit_and_leave_others() -> None:
    env = make_env("DynaMazeBlocking-v0")
    assert with_drawn_changes(env, 0, 10) is env
    options = {"random_changes": {"when": "periodic", "period": 4}, "max_episode_steps": 33}
    env = with_drawn_changes(make_env("DynaMazeDrifting-v0", **options), 0, 12)
    assert env.spec is not None
    assert env.spec.max_episode_steps == 33
    assert env.unwrapped.schedule.steps == (0, 4, 8, 12)  # type: ignore[attr-defined]
