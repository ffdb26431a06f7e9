"""`dynamaze watch`: pause, single steps, speed and the end, with a person who is a script."""

from __future__ import annotations

import importlib
import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dynamaze.agents import Step
from dynamaze.envs import DynaMazeEnv
from dynamaze.envs.rendering import Window, pressed_key
from dynamaze.watch import Controls, Diary, Watch, main, make_agent, make_env, watch, window_of


def note_window_naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    naps: list[float] = []
    module = importlib.import_module("dynamaze.envs.rendering.window")
    fake = SimpleNamespace(sleep=naps.append, perf_counter=lambda: 0.0)
    monkeypatch.setattr(module, "time", fake)
    return naps


@pytest.fixture(autouse=True)
def pygame(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Give pygame on SDL's dummy display, with windows that never sleep; then shut it down."""
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    note_window_naps(monkeypatch)
    module = importlib.import_module("pygame")
    module.quit()
    yield module
    module.quit()


class Person:
    """Sits at the window: at each of the viewer's naps does the next thing on a list.

    The naps are the only time that passes.
    """

    def __init__(self, *script: Callable[[], None] | None) -> None:
        self.script = list(script)
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.script:
            act = self.script.pop(0)
            if act is not None:
                act()


class Show:
    """A watched agent, and what can be done to its window and seen of it."""

    def __init__(self, pygame: Any, **options: Any) -> None:
        self.pygame = pygame
        self.config = Watch(**{"seed": 1, "planning_steps": 1, "fps": 60, **options})
        self.env = make_env(self.config)
        self.agent = make_agent(self.config, self.env)
        self.diary = Diary("title")
        self.seen: list[tuple[str, int]] = []

    @property
    def window(self) -> Window:
        window = window_of(self.env)
        assert window is not None
        return window

    def post(self, kind: int, **details: Any) -> None:
        event = self.pygame.event.Event(kind, window=self.window._handle, **details)
        self.pygame.event.post(event)

    def key(self, name: str) -> Callable[[], None]:
        code = getattr(self.pygame, f"K_{name}")
        return lambda: self.post(self.pygame.KEYDOWN, key=code)

    def close_button(self) -> None:
        self.post(self.pygame.WINDOWCLOSE)

    def look(self) -> None:
        self.seen.append((self.window.title.split(" ")[0], self.diary.num_steps))

    def run(self, person: Person, *, steps: int | None = None) -> Controls:
        controls = Controls(self.config.fps, clock=person.clock, sleep=person.sleep)
        watch(self.agent, self.env, controls, self.diary, steps=steps)
        self.env.close()
        return controls


@pytest.fixture
def show(pygame: Any) -> Show:
    return Show(pygame)


def test_space_pauses_and_goes_on(show: Show) -> None:
    space, look = show.key("SPACE"), show.look
    show.run(Person(look, space, look, look, space, look, look, look, show.key("ESCAPE")))
    assert show.seen == [
        ("60/s", 1),
        ("paused", 2),
        ("paused", 2),
        ("60/s", 3),
        ("60/s", 4),
        ("60/s", 5),
    ]


def test_single_steps_are_taken_one_by_one(show: Show) -> None:
    space, look, step, right = show.key("SPACE"), show.look, show.key("n"), show.key("RIGHT")

    def twice() -> None:
        step()
        step()

    show.run(Person(space, step, look, look, right, look, twice, look, look, show.key("q")))
    assert show.seen == [("paused", steps) for steps in (2, 2, 3, 5, 5)]


def test_a_single_step_pauses_what_was_running(show: Show) -> None:
    show.run(Person(show.key("RIGHT"), show.look, show.look, show.key("ESCAPE")))
    assert show.seen == [("paused", 2), ("paused", 2)]


def test_a_pause_forgets_single_steps_that_were_not_taken() -> None:
    controls = Controls(60)
    for key in ("n", "n", "n", "space", "space"):
        controls.press(key)
    assert controls.paused
    controls.press("escape")
    assert not controls.wait(None, "")


@pytest.mark.parametrize("key", ["ESCAPE", "q"])
def test_a_key_ends_the_show(show: Show, key: str) -> None:
    assert show.run(Person(None, show.key(key))).ended
    assert show.diary.num_steps == 2


@pytest.mark.parametrize("pause_first", [False, True])
def test_the_close_button_ends_the_show(show: Show, pause_first: bool) -> None:
    first = show.key("SPACE") if pause_first else None
    assert show.run(Person(first, show.close_button)).ended
    assert show.diary.num_steps == (1 if pause_first else 2)


def test_what_has_no_meaning_changes_nothing(show: Show) -> None:
    def noise() -> None:
        show.post(show.pygame.KEYUP, key=show.pygame.K_SPACE)
        show.post(show.pygame.KEYDOWN, key=show.pygame.K_F1)
        show.post(show.pygame.MOUSEBUTTONDOWN, pos=(3, 4), button=1)

    show.run(Person(noise, show.look, show.key("ESCAPE")))
    assert show.seen == [("60/s", 2)]


@pytest.mark.parametrize("fps", [0.5, 7, 30, 200])
def test_steps_come_at_the_speed_that_is_asked_for(pygame: Any, fps: float) -> None:
    person, show = Person(), Show(pygame, fps=fps, epsilon=1.0)
    show.run(person, steps=20)
    assert person.now == pytest.approx(20 / fps, rel=1e-6)


def test_at_full_speed_nobody_waits(pygame: Any) -> None:
    person, show = Person(), Show(pygame, fps=0)
    assert show.run(person, steps=20).speed == math.inf
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
        (30, "--------", 1),
        (0.1, "-", 0.1),
        (5000, "+", math.inf),
    ],
)
def test_plus_and_minus_change_the_speed(fps: float, keys: str, speed: float) -> None:
    controls = Controls(fps)
    for key in keys:
        controls.press(key)
    assert controls.speed == speed


def test_the_window_never_sleeps_long(pygame: Any) -> None:
    show = Show(pygame, fps=0.1)
    person = Person(lambda: show.seen.append(("", int(show.window.fps))))
    show.run(person, steps=1)
    assert show.seen == [("", 5)]


def test_the_arrival_is_seen_before_the_next_episode(
    pygame: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    naps = note_window_naps(monkeypatch)
    show = Show(pygame, layout="SG", fps=10)
    show.run(Person(), steps=40)
    assert show.diary.num_episodes > 0
    # The first start is shown at once; then each frame waits until the one before it was seen.
    assert naps == [0.0, *[0.1] * (40 + show.diary.num_episodes)]


def test_the_rate_of_other_environments_stays_as_it_was() -> None:
    env = make_env(Watch(fps=7))
    assert env.unwrapped.metadata["render_fps"] == 7
    assert DynaMazeEnv.metadata["render_fps"] == 30


@pytest.mark.parametrize("agent", ["QLearning", "DynaQ", "DynaQPlus"])
@pytest.mark.parametrize("model", ["latest_outcome", "maximum_likelihood", "stored_experience"])
def test_every_agent_and_model_can_be_watched(
    agent: Any, model: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    main(Watch(agent=agent, model=model, steps=20, fps=0, seed=3, slip_probability=0.1))
    shown = capsys.readouterr().out
    assert shown.splitlines()[0] == f"{agent} in DynaMazeShortcut-v0, which changes at step 3,000."
    assert shown.splitlines()[-1] == f"{agent} in DynaMazeShortcut-v0: 20 steps, no episode ended"


def test_a_maze_may_come_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "maze.txt").write_text("S.G\n@ 40\nSG.\n")
    main(Watch(layout=str(tmp_path / "maze.txt"), steps=60, fps=0, seed=3))
    assert "changes at step 40." in capsys.readouterr().out


def a_step(*, length: int, episode: int, terminated: bool = False, **info: int) -> Step:
    return Step(0, 0, 0.0, 0, terminated, False, info, episode, length, 0.5)


def test_the_diary_tells_where_things_stand() -> None:
    diary = Diary("A in B")
    assert diary.summary() == "A in B: 0 steps, no episode ended"
    step = a_step(length=1, episode=0, phase=1)
    diary.add(step)
    assert diary.status(step) == "step 1 · phase 1 · episode 1, return 0.5"
    assert diary.summary() == "A in B: 1 step, no episode ended"
    for episode in range(12):
        diary.add(a_step(length=episode, episode=episode, terminated=True))
    assert diary.status(a_step(length=1, episode=12)) == (
        "step 13 · episode 13, return 0.5 · mean 6.5"
    )
    assert diary.summary() == (
        "A in B: 13 steps, 12 episodes, 6.5 steps an episode over the last 10"
    )


@pytest.mark.parametrize(
    ("key", "written", "name"),
    [
        ("K_SPACE", " ", "space"),
        ("K_RIGHT", "", "right"),
        ("K_ESCAPE", "\x1b", "escape"),
        ("K_EQUALS", "+", "+"),
        ("K_KP_PLUS", "+", "+"),
        ("K_n", "N", "n"),
        ("K_q", "\x11", "q"),
    ],
)
def test_keys_are_named_by_what_they_write(pygame: Any, key: str, written: str, name: str) -> None:
    event = pygame.event.Event(pygame.KEYDOWN, key=getattr(pygame, key), unicode=written)
    assert pressed_key(event) == name
    assert pressed_key(pygame.event.Event(pygame.KEYUP, key=pygame.K_a)) is None


def dynamaze_watch(*options: str) -> Any:
    return subprocess.run(
        [sys.executable, "-m", "dynamaze", "watch", *options],
        env={**os.environ, "SDL_VIDEODRIVER": "dummy"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_watching_from_outside() -> None:
    run = dynamaze_watch("--steps", "50", "--fps", "0", "--seed", "1")
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines()[-1].startswith("DynaQPlus in DynaMazeShortcut-v0: 50 steps")


def test_other_environments_can_be_watched() -> None:
    run = dynamaze_watch("FrozenLake-v1", "--steps", "50", "--fps", "0", "--agent", "DynaQ")
    assert (run.returncode, run.stderr) == (0, "")
    assert "Ctrl-C" in run.stdout
    assert run.stdout.splitlines()[-1].startswith("DynaQ in FrozenLake-v1: 50 steps, ")
