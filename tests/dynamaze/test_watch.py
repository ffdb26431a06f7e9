"""`dynamaze watch`: pause, single steps, speed and the end, with a person who is a script."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dynamaze.agents import Agent
from dynamaze.app.watch import Watch, main, make_watched, prepare
from dynamaze.envs import DynaMazeEnv
from dynamaze.envs.rendering import OVERLAYS, pressed_key
from dynamaze.viewer.controls import Controls
from dynamaze.viewer.planned import OverheardPlanning


class Watching:
    """A watched agent, and what can be seen of it."""

    def __init__(self, person: Any, **options: Any) -> None:
        self.person = person
        self.config = Watch(**{"seed": 1, "planning_steps": 1, "fps": 60, **options})
        self.env = make_watched(self.config)
        self.controls = Controls(self.config.fps, clock=person.clock, sleep=person.sleep)
        self.show, self.agent = prepare(self.config, self.env, self.controls)
        self.screen = self.show.screen
        person.window = self.screen.window
        self.seen: list[tuple[str, int]] = []

    def look(self) -> None:
        window = self.screen.window
        assert window is not None
        title = window.title
        self.seen.append((title[title.rindex("(") + 1 : -1], self.show.diary.num_steps))

    def run(self, *script: Any, steps: int | None = None) -> Watching:
        self.person.script = list(script)
        with self.screen:
            self.show.run(self.agent, steps)
        self.env.close()
        return self

    @property
    def maze(self) -> DynaMazeEnv:
        assert isinstance(self.env.unwrapped, DynaMazeEnv)
        return self.env.unwrapped

    def centre(self, row: int, col: int) -> tuple[int, int]:
        """The pixel in the middle of a cell of the preset mazes, whose cells are 64 wide."""
        return 64 * col + 32, 64 * row + 32


@pytest.fixture
def watching(person: Any) -> Watching:
    return Watching(person)


# -- pace --------------------------------------------------------------------------------------


def test_space_pauses_and_goes_on(watching: Watching) -> None:
    space, look = watching.person.keys("SPACE"), watching.look
    watching.run(look, space, look, look, space, look, look, look, watching.person.keys("ESCAPE"))
    assert watching.seen == [
        ("60/s", 1),
        ("paused", 2),
        ("paused", 2),
        ("60/s", 3),
        ("60/s", 4),
        ("60/s", 5),
    ]


def test_single_steps_are_taken_one_by_one(watching: Watching) -> None:
    keys, look = watching.person.keys, watching.look
    twice = keys("n", "n")
    watching.run(
        keys("SPACE"), keys("n"), look, look, keys("RIGHT"), look, twice, look, look, keys("q")
    )
    assert watching.seen == [("paused", steps) for steps in (2, 2, 3, 5, 5)]


def test_a_single_step_pauses_what_was_running(watching: Watching) -> None:
    keys = watching.person.keys
    watching.run(keys("RIGHT"), watching.look, watching.look, keys("ESCAPE"))
    assert watching.seen == [("paused", 2), ("paused", 2)]


def test_a_pause_forgets_single_steps_that_were_not_taken() -> None:
    controls = Controls(60)
    for key in ("n", "n", "n", "space", "space"):
        controls.press(key)
    assert controls.paused
    assert controls.remaining() == math.inf


@pytest.mark.parametrize("key", ["ESCAPE", "q"])
def test_a_key_ends_the_show(watching: Watching, key: str) -> None:
    watching.run(None, watching.person.keys(key))
    assert watching.controls.ended
    assert watching.show.diary.num_steps == 2


@pytest.mark.parametrize("pause_first", [False, True])
def test_the_close_button_ends_the_show(watching: Watching, pause_first: bool) -> None:
    first = watching.person.keys("SPACE") if pause_first else None
    watching.run(first, watching.person.close_button)
    assert watching.controls.ended
    assert watching.show.diary.num_steps == (1 if pause_first else 2)


def test_what_has_no_meaning_changes_nothing(watching: Watching) -> None:
    person = watching.person

    def noise() -> None:
        person.post(person.pygame.KEYUP, key=person.pygame.K_SPACE)
        person.post(person.pygame.KEYDOWN, key=person.pygame.K_F5)
        person.post(person.pygame.MOUSEWHEEL, x=0, y=1)

    watching.run(noise, watching.look, person.keys("ESCAPE"))
    assert watching.seen == [("60/s", 2)]


@pytest.mark.parametrize("fps", [0.5, 7, 30, 200])
def test_steps_come_at_the_speed_that_is_asked_for(person: Any, fps: float) -> None:
    Watching(person, fps=fps, epsilon=1.0).run(steps=20)
    assert person.now == pytest.approx(20 / fps, rel=1e-6)


def test_at_full_speed_nobody_waits(person: Any) -> None:
    watching = Watching(person, fps=0).run(steps=20)
    assert watching.controls.speed == math.inf
    assert person.now == 0


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
def test_plus_and_minus_change_the_speed(fps: float, keys: str, speed: float) -> None:
    controls = Controls(fps)
    for key in keys:
        assert controls.press(key)
    assert controls.speed == speed


def test_the_end_of_an_episode_is_seen(person: Any) -> None:
    watching = Watching(person, layout="S.G", epsilon=1.0)
    ends: list[Any] = []
    watching.run(*[lambda: ends.append(watching.screen.moment)] * 60, steps=60)
    shown = [moment.agent for moment in ends if moment is not None]
    assert len(shown) == watching.show.diary.num_episodes > 0
    assert set(shown) == {(0, 2)}


# -- overlays ----------------------------------------------------------------------------------


def test_number_keys_lay_over_the_maze_what_the_agent_knows(person: Any) -> None:
    watching = Watching(person, planning_steps=5)
    agent = watching.agent
    assert isinstance(agent, Agent)
    found: dict[str, Any] = {}

    def note() -> None:
        overlays = watching.maze.overlays
        found.update({name: getattr(overlays, name) for name in overlays.names})
        found["q of the agent"] = agent.values.values(np.arange(54))

    keys = [person.keys(str(number)) for number in range(1, 7)]
    watching.run(*[None] * 50, person.keys("SPACE"), *keys, None, note, person.keys("q"))
    assert watching.screen.shown == {*list(OVERLAYS)[:6], "trail", "changed"}
    q = found["q of the agent"]
    np.testing.assert_array_equal(found["q"].reshape(54, 4), q)
    np.testing.assert_array_equal(found["values"].ravel(), q.max(axis=1))
    np.testing.assert_allclose(found["policy"].sum(axis=2), 1)
    assert found["visits"].sum() == watching.show.diary.num_steps
    assert found["belief"].shape == (6, 9)
    # The planner was overheard from the first step after the key on; there was none in the pause.
    assert found["planned"].shape == (0, 2)


def test_a_key_switches_an_overlay_off_again_and_0_all_of_them(person: Any) -> None:
    watching = Watching(person, overlay=("values",))
    names: list[tuple[str, ...]] = []

    def note() -> None:
        names.append(watching.maze.overlays.names)

    watching.run(
        note, person.keys("1", "3"), note, person.keys("0"), note, person.keys("3"), note,
        person.keys("q"),
    )  # fmt: skip
    assert names == [("values",), ("policy",), (), ("policy",)]
    assert watching.screen.shown == {"policy"}


def test_overlays_do_not_change_what_is_learned(person: Any) -> None:
    tables = []
    for names in ((), ("values", "q", "policy", "visits", "belief", "planned")):
        watching = Watching(person, overlay=names, planning_steps=5).run(steps=300)
        agent = watching.agent
        assert isinstance(agent, Agent)
        tables.append(agent.values.get_state()["q"])
        assert isinstance(agent.planning, OverheardPlanning) == bool(names)
    np.testing.assert_array_equal(*tables)


@pytest.mark.parametrize(
    ("options", "name", "why"),
    [
        ({}, "tree", "DynaQPlus has no search tree"),
        ({"agent": "QLearning"}, "belief", "QLearning has no model that predicts"),
        ({"agent": "QLearning"}, "planned", "QLearning does not plan"),
        ({"agent": "Random"}, "q", "Random has no table of the cells"),
        ({"env_id": "FrozenLake-v1"}, "q", "only mazes have overlays"),
    ],
)
def test_an_overlay_that_is_not_to_be_had_is_refused(
    person: Any, options: dict[str, Any], name: str, why: str
) -> None:
    with pytest.raises(ValueError, match=f"overlay '{name}': {why}"):
        Watching(person, overlay=(name,), **options)
    watching = Watching(person, **options)
    watching.screen.toggle(name)
    assert name not in watching.screen.shown
    assert watching.screen._message == why
    watching.env.close()


@pytest.mark.parametrize("key", ["h", "F1", "QUESTION"])
def test_help_opens_and_escape_closes_it(watching: Watching, key: str) -> None:
    keys = watching.person.keys
    watching.run(keys(key), keys("ESCAPE"), watching.look, keys("ESCAPE"))
    assert watching.seen == [("60/s", 3)]


# -- the mouse ---------------------------------------------------------------------------------


def test_a_click_builds_and_opens_a_wall_while_the_agent_learns(watching: Watching) -> None:
    click = watching.person.click(*watching.centre(0, 2))
    walls: list[bool] = []

    def note() -> None:
        walls.append(bool(watching.maze.layout.walls[0, 2]))

    watching.run(note, click, note, click, note, watching.person.keys("q"))
    assert walls == [False, True, False]
    assert watching.show.diary.num_steps > 3


def test_dragging_paints_and_clicks_beside_the_maze_do_nothing(watching: Watching) -> None:
    space = watching.person.keys("SPACE")
    painted = watching.person.drag(*(watching.centre(1, col) for col in (1, 6)))
    outside = watching.person.click(100, 430)
    watching.run(space, painted, outside, None, watching.person.keys("q"))
    walls = watching.maze.layout.walls
    assert walls[1].tolist() == [False, *[True] * 6, False, False]
    assert watching.maze.phase == 6


def test_the_goal_and_the_start_are_moved(watching: Watching) -> None:
    goal = watching.person.click(*watching.centre(0, 0), button=3)
    start = watching.person.click(*watching.centre(5, 8), button=2)
    watching.run(goal, start, None, watching.person.keys("q"))
    assert watching.maze.layout.goals == ((0, 0),)
    assert watching.maze.layout.starts == ((5, 8),)


def test_shift_and_a_click_move_the_start(watching: Watching) -> None:
    pygame = watching.person.pygame

    def hold_shift() -> None:
        pygame.key.set_mods(pygame.KMOD_LSHIFT)

    click = watching.person.click(*watching.centre(5, 8))
    watching.run(hold_shift, click, None, watching.person.keys("q"))
    pygame.key.set_mods(0)
    assert watching.maze.layout.starts == ((5, 8),)


# -- the whole command -------------------------------------------------------------------------


@pytest.mark.parametrize("agent", ["QLearning", "DynaQ", "DynaQPlus", "Random"])
@pytest.mark.parametrize("model", ["latest_outcome", "maximum_likelihood", "stored_experience"])
def test_every_agent_and_model_can_be_watched(
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
def test_every_environment_can_be_watched(
    pygame: Any, env_id: str, agent: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    main(Watch(env_id, agent=agent, steps=30, fps=0, seed=3))
    assert f"{agent} in {env_id}: 30 steps" in capsys.readouterr().out


def test_a_maze_without_cells_has_no_table(pygame: Any) -> None:
    with pytest.raises(TypeError, match=r"DynaMazeContinuous-v0 has no cells, .* --agent Random"):
        main(Watch("DynaMazeContinuous-v0", steps=1))


def test_a_maze_may_come_from_a_file(
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
def test_keys_are_named_by_what_they_write(pygame: Any, key: str, written: str, name: str) -> None:
    event = pygame.event.Event(pygame.KEYDOWN, key=getattr(pygame, key), unicode=written)
    assert pressed_key(event) == name
    assert pressed_key(pygame.event.Event(pygame.KEYUP, key=pygame.K_a)) is None


def dynamaze_watch(*options: str, **variables: str) -> Any:
    return subprocess.run(
        [sys.executable, "-m", "dynamaze", "watch", *options],
        env={**os.environ, "SDL_VIDEODRIVER": "dummy", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_watching_from_outside() -> None:
    run = dynamaze_watch("--steps", "50", "--fps", "0", "--seed", "1", "--overlay", "q", "visits")
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines()[-1].startswith("DynaQPlus in DynaMazeShortcut-v0: 50 steps")


def test_other_environments_can_be_watched() -> None:
    run = dynamaze_watch("FrozenLake-v1", "--steps", "50", "--fps", "0", "--agent", "DynaQ")
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines()[-1].startswith("DynaQ in FrozenLake-v1: 50 steps, ")


# -- films -------------------------------------------------------------------------------------


def without_display() -> dict[str, str]:
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER")
    return {name: value for name, value in os.environ.items() if name not in hidden}


def test_a_film_needs_no_display(tmp_path: Path) -> None:
    from PIL import Image

    command = [sys.executable, "-m", "dynamaze", "watch", "--seed", "1", "--overlay", "values"]
    film = ["--steps", "12", "--save", "film.gif"]
    run = subprocess.run(
        [*command, *film],
        env=without_display(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == "saved film.gif"
    assert [path.name for path in tmp_path.iterdir()] == ["film.gif"]
    with Image.open(tmp_path / "film.gif") as image:
        assert (image.n_frames, image.size) == (12, (576, 458))  # type: ignore[attr-defined]


def test_without_a_display_and_a_film_the_way_out_is_told(
    pygame: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SDL_VIDEODRIVER")
    monkeypatch.setattr(pygame.display, "get_driver", lambda: "offscreen")
    for config in (Watch(), Watch(save="film.gif"), Watch(steps=3)):
        with pytest.raises(RuntimeError, match=r"no display .*--save FILE --steps N"):
            main(config)


@pytest.mark.parametrize(
    ("name", "message"), [("film.avi", r"ends in '\.avi'; expected"), ("no/film.gif", "no folder")]
)
def test_a_film_that_cannot_be_is_refused_at_once(
    pygame: Any, tmp_path: Path, name: str, message: str
) -> None:
    with pytest.raises((ValueError, OSError), match=message):
        main(Watch(save=str(tmp_path / name), steps=3))


def test_v_records_what_is_shown_and_p_saves_a_picture(
    person: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    watching = Watching(person, fps=30)
    watching.run(
        None, person.keys("v"), *[None] * 20, person.keys("p"), person.keys("v"), None, None,
        person.keys("q"),
    )  # fmt: skip
    picture, film = watching.screen.studio.saved
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / film, tmp_path / picture])
    assert (picture.suffix, film.suffix) == (".png", ".gif")
    with Image.open(film) as image:
        assert image.n_frames >= 10  # type: ignore[attr-defined]
    with Image.open(picture) as image:
        assert image.size == (576, 458)


def test_a_killed_recording_leaves_no_file_under_its_name(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dynamaze", "watch", "--fps", "0", "--save", "film.gif"]
    pipe = subprocess.PIPE
    environment = {**os.environ, "SDL_VIDEODRIVER": "dummy"}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=pipe) as process:
        for _ in range(600):
            if list(tmp_path.glob("*.part")) or list(tmp_path.glob(".*.part")):
                break
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.05)
        process.kill()
    assert [path.suffix for path in tmp_path.iterdir()] == [".part"]


@pytest.mark.skipif(os.name != "posix", reason="there are no signals to send")
def test_ctrl_c_keeps_the_film_and_tells_how_it_went(
    tmp_path: Path, interruptible: list[str]
) -> None:
    import signal

    command = [*interruptible, "watch", "--save", "film.gif"]
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
        while not list(tmp_path.glob(".*.part")):
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.05)
        process.send_signal(signal.SIGINT)
        shown, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "")
    assert shown.splitlines()[-1] == "saved film.gif"
    assert [path.name for path in tmp_path.iterdir()] == ["film.gif"]
