"""`dynamaze watch`: pause, single steps, speed and end, with a scripted user."""

from __future__ import annotations

import errno
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from dynamaze.agents import Agent, DynaQ
from dynamaze.app.watch import Watch, main, make_session, make_watched_env
from dynamaze.app.watched_envs import POINT_AGENTS, TABLE_ONLY, suited_agent
from dynamaze.benchmarks.harness.agent_runs.resolver import AGENTS, read_call
from dynamaze.envs import DynaMazeEnv
from dynamaze.envs.rendering import OVERLAYS, pressed_key
from dynamaze.envs.rendering.recorder import Recorder
from dynamaze.viewer.overlays import RecordedPlanning
from dynamaze.viewer.runs import WatchedRun
from dynamaze.viewer.session import Controls


class Watching:
    """Watched agent, and observations of the window's title."""

    def __init__(self, user: Any, **options: Any) -> None:
        self.user = user
        self.config = Watch(**{"seed": 1, "planning_steps": 1, "fps": 60, **options})
        self.controls = Controls(self.config.fps, clock=user.clock, sleep=user.sleep)
        envs: list[gym.Env[Any, Any]] = []
        self.session = make_session(self.config, self.controls, envs)
        (self.env,) = envs
        assert isinstance(self.session.watched, WatchedRun)
        self.watched = self.session.watched
        self.window = self.session.window
        user.window = self.window.display
        self.seen: list[tuple[str, int]] = []

    def look(self) -> None:
        display = self.window.display
        assert display is not None
        title = display.title
        self.seen.append((title[title.rindex("(") + 1 : -1], self.watched.statistics.num_steps))

    def run(self, *script: Any, steps: int | None = None) -> Watching:
        self.user.script = list(script)
        with self.window:
            self.session.run(steps)
        self.env.close()
        return self

    @property
    def maze(self) -> DynaMazeEnv:
        assert isinstance(self.env.unwrapped, DynaMazeEnv)
        return self.env.unwrapped

    def centre(self, row: int, col: int) -> tuple[int, int]:
        """Return the centre pixel of a cell of the preset mazes, whose cells are 64 wide."""
        return 64 * col + 32, 64 * row + 32


@pytest.fixture
def watching(user: Any) -> Watching:
    return Watching(user)


# -- pace --------------------------------------------------------------------------------------


def test_space_pauses_and_continues(watching: Watching) -> None:
    space, look = watching.user.keys("SPACE"), watching.look
    watching.run(look, space, look, look, space, look, look, look, watching.user.keys("ESCAPE"))
    assert watching.seen == [
        ("60/s", 1),
        ("paused", 2),
        ("paused", 2),
        ("60/s", 3),
        ("60/s", 4),
        ("60/s", 5),
    ]


def test_single_steps(watching: Watching) -> None:
    keys, look = watching.user.keys, watching.look
    twice = keys("n", "n")
    watching.run(
        keys("SPACE"), keys("n"), look, look, keys("RIGHT"), look, twice, look, look, keys("q")
    )
    assert watching.seen == [("paused", steps) for steps in (2, 2, 3, 5, 5)]


def test_single_step_pauses(watching: Watching) -> None:
    keys = watching.user.keys
    watching.run(keys("RIGHT"), watching.look, watching.look, keys("ESCAPE"))
    assert watching.seen == [("paused", 2), ("paused", 2)]


def test_pause_drops_pending_steps() -> None:
    controls = Controls(60)
    for key in ("n", "n", "n", "space", "space"):
        controls.handle_key(key)
    assert controls.paused
    assert controls.remaining() == math.inf


@pytest.mark.parametrize("key", ["ESCAPE", "q"])
def test_quit_key_ends_session(watching: Watching, key: str) -> None:
    watching.run(None, watching.user.keys(key))
    assert watching.controls.ended
    assert watching.watched.statistics.num_steps == 2


@pytest.mark.parametrize("pause_first", [False, True])
def test_close_button_ends_session(watching: Watching, pause_first: bool) -> None:
    first = watching.user.keys("SPACE") if pause_first else None
    watching.run(first, watching.user.close_button)
    assert watching.controls.ended
    assert watching.watched.statistics.num_steps == (1 if pause_first else 2)


def test_escape_closes_window_during_step(watching: Watching) -> None:
    agent, seen = watching.watched.agent, list[bool]()

    class Slow:
        def steps(self) -> Iterator[Any]:
            watching.user.keys("SPACE", "ESCAPE")()
            end = time.monotonic() + 20
            while not watching.window.closed and time.monotonic() < end:
                time.sleep(0.005)
            seen.append(watching.window.closed)
            yield from agent.steps()

    watching.watched.agent = Slow()
    watching.run()
    assert seen == [True]  # while the step was taken
    assert watching.watched.statistics.num_steps == 1
    assert (watching.controls.ended, watching.controls.paused) == (True, True)


def test_other_events_are_ignored(watching: Watching) -> None:
    user = watching.user

    def noise() -> None:
        user.post(user.pygame.KEYUP, key=user.pygame.K_SPACE)
        user.post(user.pygame.KEYDOWN, key=user.pygame.K_F5)
        user.post(user.pygame.MOUSEWHEEL, x=0, y=1)

    watching.run(noise, watching.look, user.keys("ESCAPE"))
    assert watching.seen == [("60/s", 2)]


@pytest.mark.parametrize("fps", [0.5, 7, 30, 200])
def test_session_keeps_speed(user: Any, fps: float) -> None:
    Watching(user, fps=fps, epsilon=1.0).run(steps=20)
    assert user.now == pytest.approx(20 / fps, rel=1e-6)


def test_full_speed_never_waits(user: Any) -> None:
    watching = Watching(user, fps=0).run(steps=20)
    assert watching.controls.speed == math.inf
    assert user.now == 0


@pytest.mark.parametrize(
    ("fps", "keys", "speed"),
    [
        (30, "+", 60),
        (30, "=", 60),
        (30, "-", 15),
        (42, "+", 60),
        (42, "-", 30),
        (30, "++++++++", math.inf),
        (0, "-", 1000),
        (0, "+", math.inf),
        (30, "--------", 0.5),
        (0.1, "-", 0.1),
        (5000, "+", math.inf),
    ],
)
def test_plus_minus_change_speed(fps: float, keys: str, speed: float) -> None:
    controls = Controls(fps)
    for key in keys:
        assert controls.handle_key(key)
    assert controls.speed == speed


def test_episode_end_is_shown(user: Any) -> None:
    watching = Watching(user, layout="S.G", epsilon=1.0)
    ends: list[Any] = []
    watching.run(*[lambda: ends.append(watching.watched.view.snapshot)] * 60, steps=60)
    shown = [snapshot.agent for snapshot in ends if snapshot is not None]
    assert len(shown) == watching.watched.statistics.num_episodes > 0
    assert set(shown) == {(0, 2)}


# -- overlays ----------------------------------------------------------------------------------


def test_number_keys_show_agent_overlays(user: Any) -> None:
    watching = Watching(user, planning_steps=5)
    agent = watching.watched.agent
    assert isinstance(agent, Agent)
    found: dict[str, Any] = {}

    def record() -> None:
        overlays = watching.maze.overlays
        found.update({name: getattr(overlays, name) for name in overlays.names})
        found["q of the agent"] = agent.values.values(np.arange(54))

    keys = [user.keys(str(number)) for number in range(1, 7)]
    watching.run(*[None] * 50, user.keys("SPACE"), *keys, None, record, user.keys("q"))
    assert watching.window.shown == {*list(OVERLAYS)[:6], "trail", "changed"}
    q = found["q of the agent"]
    tried = watching.watched.recorded.ever_tried
    # There is no value of what was neither tried nor updated.
    shown = np.where(tried | (q != 0), q, np.nan)
    np.testing.assert_array_equal(found["q"].reshape(54, 4), shown)
    state_values = np.where(np.isnan(shown).all(axis=1), np.nan, q.max(axis=1))
    np.testing.assert_array_equal(found["values"].ravel(), state_values)
    assert 0 < np.isnan(state_values).sum() < 54
    np.testing.assert_allclose(found["policy"].sum(axis=2), 1)
    assert found["visits"].sum() == watching.watched.statistics.num_steps
    assert found["belief"].shape == (6, 9)
    # Planning is recorded from the first step after the key; there was none during the pause.
    assert found["planned"].shape == (0, 2)


def test_keys_hide_overlays(user: Any) -> None:
    watching = Watching(user, overlay=("values",))
    names: list[tuple[str, ...]] = []

    def record() -> None:
        names.append(watching.maze.overlays.names)

    watching.run(
        record, user.keys("1", "3"), record, user.keys("0"), record, user.keys("3"), record,
        user.keys("q"),
    )  # fmt: skip
    assert names == [("values",), ("policy",), (), ("policy",)]
    assert watching.window.shown == {"policy"}


def test_overlays_leave_learning_bit_identical(user: Any) -> None:
    tables = []
    for names in ((), ("values", "q", "policy", "visits", "belief", "planned")):
        watching = Watching(user, overlay=names, planning_steps=5).run(steps=300)
        agent = watching.watched.agent
        assert isinstance(agent, Agent)
        tables.append(agent.values.get_state()["q"])
        assert isinstance(agent.planning, RecordedPlanning) == bool(names)
    np.testing.assert_array_equal(*tables)


@pytest.mark.parametrize(
    ("options", "name", "reason"),
    [
        ({}, "tree", "DynaQPlus has no search tree"),
        ({"agent": "QLearning"}, "belief", "QLearning has no model that predicts"),
        ({"agent": "QLearning"}, "planned", "QLearning does not plan"),
        ({"agent": "Random"}, "q", "RandomAgent has no table of the cells"),
        ({"env_id": "FrozenLake-v1"}, "q", "only mazes have overlays"),
    ],
)
def test_unavailable_overlay_is_refused(
    user: Any, options: dict[str, Any], name: str, reason: str
) -> None:
    with pytest.raises(ValueError, match=f"overlay '{name}': {reason}"):
        Watching(user, overlay=(name,), **options)
    watching = Watching(user, **options)
    watching.window.toggle(name)
    assert name not in watching.window.shown
    assert watching.window._message == reason
    watching.env.close()


@pytest.mark.parametrize("key", ["h", "F1", "QUESTION"])
def test_help_keys(watching: Watching, key: str) -> None:
    keys = watching.user.keys
    watching.run(keys(key), keys("ESCAPE"), watching.look, keys("ESCAPE"))
    assert watching.seen == [("60/s", 3)]


# -- the mouse ---------------------------------------------------------------------------------


def test_click_toggles_wall(watching: Watching) -> None:
    click = watching.user.click(*watching.centre(0, 2))
    walls: list[bool] = []

    def record() -> None:
        walls.append(bool(watching.maze.layout.walls[0, 2]))

    watching.run(record, click, record, click, record, watching.user.keys("q"))
    assert walls == [False, True, False]
    assert watching.watched.statistics.num_steps > 3


def test_drag_builds_walls(watching: Watching) -> None:
    space = watching.user.keys("SPACE")
    painted = watching.user.drag(*(watching.centre(1, col) for col in (1, 6)))
    outside = watching.user.click(100, 430)
    watching.run(space, painted, outside, None, watching.user.keys("q"))
    walls = watching.maze.layout.walls
    assert walls[1].tolist() == [False, *[True] * 6, False, False]
    assert watching.maze.phase == 6


def test_clicks_move_goal_and_start(watching: Watching) -> None:
    goal = watching.user.click(*watching.centre(0, 0), button=3)
    start = watching.user.click(*watching.centre(5, 8), button=2)
    watching.run(goal, start, None, watching.user.keys("q"))
    assert watching.maze.layout.goals == ((0, 0),)
    assert watching.maze.layout.starts == ((5, 8),)


def test_shift_click_moves_start(watching: Watching) -> None:
    pygame = watching.user.pygame

    def hold_shift() -> None:
        pygame.key.set_mods(pygame.KMOD_LSHIFT)

    click = watching.user.click(*watching.centre(5, 8))
    watching.run(hold_shift, click, None, watching.user.keys("q"))
    pygame.key.set_mods(0)
    assert watching.maze.layout.starts == ((5, 8),)


# -- the whole command -------------------------------------------------------------------------


@pytest.mark.parametrize("agent", ["QLearning", "DynaQ", "DynaQPlus"])
@pytest.mark.parametrize("model", ["latest_outcome", "maximum_likelihood", "stored_experience"])
def test_watch_every_agent_and_model(
    pygame: Any, agent: Any, model: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    main(Watch(agent=agent, model=model, steps=20, fps=0, seed=3, slip_probability=0.1))
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == f"{agent} in DynaMazeShortcut-v0, which changes at step 3,000."
    assert shown[-1].startswith(
        f"{agent} in DynaMazeShortcut-v0: 20 steps, no episode ended, regret "
    )


@pytest.mark.parametrize(
    ("env_id", "agent"),
    [
        ("DynaMaze-v0", "DynaQ"),
        ("DynaMazeBlocking-v0", "DynaQ"),
        ("DynaMazeGenerated-v0", "DynaQPlus"),
        ("DynaMazeDrifting-v0", "DynaQPlus"),
        ("DynaMazeContinuous-v0", "Random"),
        ("FrozenLake-v1", "DynaQ"),
        ("CartPole-v1", "Random"),
    ],
)
def test_watch_every_environment(
    pygame: Any, env_id: str, agent: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    main(Watch(env_id, agent=agent, steps=30, fps=0, seed=3))
    assert f"{agent} in {env_id}: 30 steps" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"env_id": "DynaMazeContinuous-v0"}, "DynaQ"),
        ({"env_id": "DynaMazeContinuous-v0", "agent": "QLearning"}, "QLearning"),
        ({"env_id": "DynaMazeContinuous-v0", "agent": "LinearDyna"}, "LinearDyna"),
        ({"env_id": "DynaMazeLoCAContinuous-v0"}, "DynaQ"),
        ({"env_id": "DynaMazeLoCA-v0"}, "DynaQPlus"),
        ({"env_id": "DynaMazeGenerated-v0", "size": 7}, "builtin:value_iteration"),
        ({"env_id": "DynaMazeGenerated-v0", "planning_steps": 3}, "DynaQPlus"),
        ({"env_id": "DynaMazeGenerated-v0", "overlay": ("values",)}, "DynaQPlus"),
        ({"env_id": "DynaMazeGenerated-v0", "levels": 2}, "DynaQPlus"),
        ({"env_id": "DynaMazeGenerated-v0", "size": 7, "agent": "TreeSearch"}, "TreeSearch"),
    ],
)
def test_watch_agent_that_suits(
    pygame: Any, options: dict[str, Any], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main(Watch(**options, steps=3, fps=0, seed=1))
    shown = capsys.readouterr().out
    assert f"{name} in {options['env_id']}: 3 steps" in shown


@pytest.mark.parametrize(
    ("options", "levels"),
    [({}, 1), ({"levels": 3}, 3), ({"agent": "TreeSearch"}, 2**31), ({"agent": "random"}, 2**31)],
)
def test_table_agent_has_one_generated_maze(options: dict[str, Any], levels: int) -> None:
    env = make_watched_env(Watch("DynaMazeGenerated-v0", size=5, **options))
    found = {env.reset()[1]["level"] for _ in range(8)}
    assert len(found) <= levels
    assert (len(found) == 1) == (levels == 1)


@pytest.mark.parametrize("observation", ["index", "coordinates"])
def test_watch_checkpoint_gets_its_observations(
    pygame: Any, observation: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    env = gym.make("DynaMaze-v0", observation=observation)
    DynaQ(env, planning_steps=1, seed=0).learn(20).save(tmp_path / "agent.npz")
    main(Watch("DynaMaze-v0", agent=str(tmp_path / "agent.npz"), steps=3, fps=0, seed=1))
    assert "agent.npz in DynaMaze-v0: 3 steps" in capsys.readouterr().out


def test_watch_refuses_agent_of_other_actions(pygame: Any) -> None:
    pytest.importorskip("stable_baselines3", reason="SAC needs it")
    with pytest.raises(ValueError, match=r"agent 'SAC': .*Discrete"):
        main(Watch(agent="SAC", steps=1))


POINT = "DynaMazeContinuous-v0"


@pytest.mark.parametrize("agent", TABLE_ONLY)
def test_point_has_no_table(agent: str) -> None:
    with pytest.raises(ValueError, match=f"agent '{agent}' needs a table, .* one of QLearning"):
        make_watched_env(Watch(POINT, agent=agent))


def test_point_agents_keep_given_arguments() -> None:
    suited = read_call("agent", suited_agent(POINT, 'DynaQ(model="linear")'))
    assert suited.arguments == {**POINT_AGENTS["DynaQ"], "model": "linear"}
    assert {*POINT_AGENTS, *TABLE_ONLY} < set(AGENTS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"agent": ""}, "agent ''; expected NAME"),
        ({"agent": "DynaQ(seed=-1)"}, "DynaQ has no argument 'seed'"),
        ({"agent": "TreeSearch(simulations=2)"}, r"agent 'TreeSearch.*': simulations=2 with 4"),
        ({"agent": "TrajectoryOptimisation"}, "agent 'TrajectoryOptimisation': action space Disc"),
        ({"env_id": "CartPole-v1"}, "agent 'DynaQPlus': observation space Box"),
        ({"env_id": POINT, "kappa": 2.0}, r'kappa=2.0 with agent .* "DynaQ\(kappa=2.0\)"'),
        ({"save": Path("x.avi")}, "save='x.avi': path suffix='.avi'; expected one of"),
        ({"seed": 2**32}, "seed=4294967296; expected at most 4294967295"),
        ({"overlay": ("nothing",)}, r"overlay='nothing'; expected one of \['state-values', 'act"),
    ],
)
def test_watch_refusal_names_option(pygame: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        main(Watch(**options, steps=1))


@pytest.mark.filterwarnings("ignore:.*holds pickles")
def test_watch_sb3_model(pygame: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sb3 = pytest.importorskip("stable_baselines3", reason="the model is one of its own")
    path = str(tmp_path / "model.zip")
    env = gym.make("DynaMaze-v0", observation="coordinates")
    sb3.DQN("MlpPolicy", env, buffer_size=10, policy_kwargs={"net_arch": [4]}).save(path)
    main(Watch("DynaMaze-v0", agent=path, steps=3, fps=0, seed=1))
    assert "model.zip in DynaMaze-v0: 3 steps" in capsys.readouterr().out
    for other in (POINT, "CartPole-v1", "DynaMazeLoCA-v0"):
        with pytest.raises(ValueError, match=f"model.zip' has observations .*; {other} has "):
            make_watched_env(Watch(other, agent=path))


def test_watch_layout_from_file(
    pygame: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "maze.txt").write_text("S.G\n@ 40\nSG.\n")
    main(Watch(layout=str(tmp_path / "maze.txt"), steps=60, fps=0, seed=3))
    assert "changes at step 40." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("key", "written", "name"),
    [
        ("K_SPACE", " ", "space"),
        ("K_RIGHT", "", "right"),
        ("K_ESCAPE", "\x1b", "escape"),
        ("K_EQUALS", "+", "+"),
        ("K_KP_PLUS", "+", "+"),
        ("K_KP1", "1", "1"),
        ("K_n", "N", "n"),
        ("K_q", "\x11", "q"),
    ],
)
def test_pressed_key_names(pygame: Any, key: str, written: str, name: str) -> None:
    event = pygame.event.Event(pygame.KEYDOWN, key=getattr(pygame, key), unicode=written)
    assert pressed_key(event) == name
    assert pressed_key(pygame.event.Event(pygame.KEYUP, key=pygame.K_a)) is None


def run_watch(*options: str, **variables: str) -> Any:
    return subprocess.run(
        [sys.executable, "-m", "dynamaze", "watch", *options],
        env={**os.environ, "SDL_VIDEODRIVER": "dummy", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_watch_command_output() -> None:
    run = run_watch("--steps", "50", "--fps", "0", "--seed", "1", "--overlay", "q", "visits")
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines()[-1].startswith("DynaQPlus in DynaMazeShortcut-v0: 50 steps")


def test_watch_command_in_frozen_lake() -> None:
    run = run_watch("FrozenLake-v1", "--steps", "50", "--fps", "0", "--agent", "DynaQ")
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines()[-1].startswith("DynaQ in FrozenLake-v1: 50 steps, ")


# -- videos ------------------------------------------------------------------------------------


def without_display() -> dict[str, str]:
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER", "XDG_RUNTIME_DIR")
    return {name: value for name, value in os.environ.items() if name not in hidden}


def test_video_without_display(tmp_path: Path) -> None:
    from PIL import Image

    command = [sys.executable, "-m", "dynamaze", "watch", "--seed", "1", "--overlay", "values"]
    video = ["--steps", "12", "--save", "video.gif"]
    run = subprocess.run(
        [*command, *video],
        env=without_display(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "XDG_RUNTIME_DIR" not in run.stderr  # a library of Wayland says so
    assert run.stdout.splitlines()[-1] == "saved video.gif"
    assert [path.name for path in tmp_path.iterdir()] == ["video.gif"]
    with Image.open(tmp_path / "video.gif") as image:
        assert (image.n_frames, image.size) == (12, (396, 360))  # type: ignore[attr-defined]


def test_watch_without_display_suggests_video(pygame: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SDL_VIDEODRIVER")
    monkeypatch.setattr(pygame.display, "get_driver", lambda: "offscreen")
    for config in (Watch(), Watch(save="video.gif"), Watch(steps=3)):
        with pytest.raises(RuntimeError, match=r"no display .*--save FILE --steps N"):
            main(config)


@pytest.mark.parametrize(
    ("name", "message"),
    [("video.avi", r"path suffix='\.avi'; expected"), ("no/video.gif", "no folder")],
)
def test_watch_rejects_invalid_video_path(
    pygame: Any, tmp_path: Path, name: str, message: str
) -> None:
    with pytest.raises((ValueError, OSError), match=message):
        main(Watch(save=str(tmp_path / name), steps=3))


@pytest.mark.parametrize("fps", [0, 30], ids=["at_the_end", "on_the_way"])
def test_watch_reports_lost_video(
    pygame: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fps: float
) -> None:
    def fail(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Recorder, "add", fail)
    path = tmp_path / "video.gif"
    with pytest.raises(OSError, match=r"video\.gif was not written: .*No space left on device"):
        main(Watch(save=str(path), steps=6, fps=fps))
    assert not list(tmp_path.iterdir())


def test_video_and_screenshot_keys(
    user: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    watching = Watching(user, fps=30)
    watching.run(
        None, user.keys("v"), *[None] * 20, user.keys("p"), user.keys("v"), None, None,
        user.keys("q"),
    )  # fmt: skip
    picture, video = watching.window.recorder.saved
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / video, tmp_path / picture])
    assert (picture.suffix, video.suffix) == (".png", ".gif")
    with Image.open(video) as image:
        assert image.n_frames >= 10  # type: ignore[attr-defined]
    with Image.open(picture) as image:
        assert image.size == (576, 480)


TEMPORARY = ".dynamaze-*.part"
"""Names of files that are being written."""


def test_killed_recording_leaves_temporary_file(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dynamaze", "watch", "--fps", "0", "--save", "video.gif"]
    pipe = subprocess.PIPE
    environment = {**os.environ, "SDL_VIDEODRIVER": "dummy"}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=pipe) as process:
        for _ in range(600):
            if list(tmp_path.glob(TEMPORARY)):
                break
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.05)
        process.kill()
    assert [path.match(TEMPORARY) for path in tmp_path.iterdir()] == [True]


@pytest.mark.skipif(os.name != "posix", reason="there are no signals to send")
def test_interrupt_keeps_video(tmp_path: Path, interruptible: list[str]) -> None:
    import signal

    command = [*interruptible, "watch", "--save", "video.gif"]
    environment = {**os.environ, "SDL_VIDEODRIVER": "dummy"}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environment,
        stdout=pipe,
        stderr=pipe,
        text=True,
    ) as process:
        for _ in range(600):
            if list(tmp_path.glob(TEMPORARY)):
                break
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.05)
        process.send_signal(signal.SIGINT)
        shown, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "")
    assert shown.splitlines()[-1] == "saved video.gif"
    assert [path.name for path in tmp_path.iterdir()] == ["video.gif"]
