"""`dynamaze watch --agents`: several agents side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
from PIL import Image, ImageSequence

from dynamaze.app.watch import Watch, main, make_session
from dynamaze.distill.files.card import Card
from dynamaze.distill.files.students import save_student
from dynamaze.envs import GridEnv
from dynamaze.viewer.comparison import Comparison
from dynamaze.viewer.session import Controls, ViewerSession

from ...distill.exact_map_planner import expert_student

AGENTS = ("Dyna-Q=DynaQ", "DynaQPlus")


class Watching:
    """Several watched agents in a window with a scripted user."""

    def __init__(self, user: Any, *agents: str, **options: Any) -> None:
        self.envs: list[gym.Env[Any, Any]] = []
        given = {"seed": 1, "planning_steps": 1, "fps": 60, **options}
        self.user, self.config = user, Watch(agents=agents or AGENTS, **given)
        controls = Controls(self.config.fps, clock=user.clock, sleep=user.sleep)
        self.session: ViewerSession = make_session(self.config, controls, self.envs)
        user.window = self.session.window.display

    def run(self, *script: Any, steps: int | None = None) -> Watching:
        self.user.script = list(script)
        with self.session.window:
            self.session.run(steps)
        return self

    @property
    def comparison(self) -> Comparison:
        assert isinstance(self.session.watched, Comparison)
        return self.session.watched

    @property
    def mazes(self) -> list[GridEnv]:
        mazes = [env.unwrapped for env in self.envs]
        assert all(isinstance(maze, GridEnv) for maze in mazes)
        return mazes  # type: ignore[return-value]  # checked above


def test_agents_are_recorded_side_by_side(
    pygame: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "film.gif"
    main(
        Watch("DynaMazeBlocking-v0", agents=AGENTS, steps=40, fps=20, seed=1, save=path, dark=True)
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Dyna-Q and DynaQPlus in DynaMazeBlocking-v0, which changes at step")
    assert [line.partition(":")[0] for line in lines[-3:-1]] == [
        "Dyna-Q in DynaMazeBlocking-v0",
        "DynaQPlus in DynaMazeBlocking-v0",
    ]
    assert "40 steps" in lines[-2]
    with Image.open(path) as image:
        assert len(list(ImageSequence.Iterator(image))) > 5  # in real time


@pytest.mark.parametrize(
    "env_id", ["DynaMazeShortcut-v0", "DynaMazeGenerated-v0", "DynaMazeAdaptation-v0"]
)
def test_agents_share_maze_also_with_student(user: Any, tmp_path: Path, env_id: str) -> None:
    path = tmp_path / "s.safetensors"
    save_student(path, expert_student(), card=Card(environment={"id": env_id, "size": 5}))
    watching = Watching(user, "DynaQ", str(path), "random", env_id=env_id).run(steps=40)
    first, *others = watching.mazes
    assert [maze.layout for maze in others] == [first.layout] * 2
    assert watching.comparison.title.endswith(f"and random in {env_id}")
    assert {run.regret.num_steps for run in watching.comparison.runs} == {40}


def test_window_of_agents_keeps_mazes_and_follows_size(user: Any) -> None:
    watching = Watching(user)
    window, before = watching.session.window, [maze.layout for maze in watching.mazes]

    def resize() -> None:
        window.display._handle.size = (900, 700)  # type: ignore[union-attr]

    sizes = []
    watching.run(
        *[user.click(x, y) for x in range(20, 900, 160) for y in (150, 230)],
        lambda: sizes.append(window.views[0].camera.cell_size),
        resize,
        None,
        lambda: sizes.append(window.views[0].camera.cell_size),
        user.keys("1"),
        None,
        user.keys("q"),
    )
    assert [maze.layout for maze in watching.mazes] == before
    assert sizes[0] != sizes[1]
    assert window.shown == {"values", "trail", "changed"}
    assert all(maze.overlays.values is not None for maze in watching.mazes)


def test_overlay_is_shown_where_available(user: Any) -> None:
    watching = Watching(user, "QLearning", "DynaQ", overlay=("belief",)).run(steps=3)
    assert [maze.overlays.belief is None for maze in watching.mazes] == [True, False]
    with pytest.raises(ValueError, match=r"overlay .belief.: QLearning has no model .*; Random"):
        Watching(user, "QLearning", "random", overlay=("belief",))


def test_table_options_apply_to_table_agents(user: Any) -> None:
    watching = Watching(user, "random", "DynaQ", planning_steps=7)
    agent: Any = watching.comparison.runs[1].agent
    assert agent.planning.planning_steps == 7
    with pytest.raises(ValueError, match="planning_steps=7 with agent 'random'"):
        Watching(user, "random", "random", planning_steps=7)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"agents": ("DynaQ",)}, "1 agents; expected 2 to 6 side by side"),
        ({"agents": AGENTS, "agent": "DynaQ"}, "agent='DynaQ' with agents; expected one"),
        ({"agents": ("DynaQ", "DynaX")}, "agent 'DynaX'; expected one of"),
        ({"agents": AGENTS, "env_id": "FrozenLake-v1", "dark": True}, "overlay 'belief': only maz"),
    ],
)
def test_invalid_agents_are_refused(pygame: Any, options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        main(Watch(steps=2, **options))
