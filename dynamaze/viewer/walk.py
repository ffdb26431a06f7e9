"""Walking a maze step by step, in a window or in the terminal."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from typing import Any

import gymnasium as gym

from dynamaze.envs import GridEnv
from dynamaze.envs.base import MazeEnv

from .advisor import Advisor
from .environment import Camera
from .overlays import GAMMA, EnvOverlays
from .statistics import RecordStatistics, format_count, format_regret
from .window import (
    MOUSE_LINES,
    OVERLAY_LINES,
    POLL_SECONDS,
    SHARED_KEYS,
    SHARED_LINES,
    ViewerWindow,
    max_size_on_desktop,
    open_window,
)

ARROWS = {"up": "w", "right": "d", "down": "s", "left": "a"}
"""Arrow key -> letter with the same action."""

QUIT_KEYS = ("escape", "q")

STUDENT_KEY = "n"
"""Key by which the student takes the next step."""


class WalkState:
    """State of a person's walk.

    Attributes:
        env: the environment.
        maze: the unwrapped environment.
        advisor: a student beside the person, or None.
        over: True if the episode has ended; `restart` begins the next one.
        num_steps: number of steps.
        episode_steps: number of steps in this episode.
        episode_return: undiscounted return of this episode so far.
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        *,
        seed: int | None = None,
        advisor: Advisor | None = None,
    ) -> None:
        """Begin the first episode.

        Args:
            env: a maze.
            seed: of the first reset; None for no seed.
            advisor: a student beside the person.
        """
        maze = env.unwrapped
        assert isinstance(maze, MazeEnv)
        self.env, self.maze, self.advisor = env, maze, advisor
        self._actions = {key: action for (key,), action in keys_to_action(maze).items()}
        self._lengths: list[int] = []  # of the episodes that reached a goal
        self.num_steps = 0
        self._begin(seed)

    def handle_key(self, key: str) -> bool:
        """Handle a key; return False if it has no function."""
        letter = ARROWS.get(key, key)
        if letter == "r":
            self.restart()
        elif letter == STUDENT_KEY and self.advisor is not None:
            self.advisor.num_steps += 1
            self._move(self.advisor.action)
        elif letter in self._actions:
            self._move(self._actions[letter])
        else:
            return False
        return True

    def restart(self) -> None:
        """Begin a new episode. The world step is not reset."""
        self._begin(None)

    def outcome(self) -> str:
        """Return the end of the episode in words."""
        end = "goal" if self._at_goal else "time limit"
        return f"{end} after {format_count(self.episode_steps, 'step')}"

    def status(self) -> str:
        """Return one line about the present state."""
        episode = f"return {self.episode_return:g}, shortest path {self.shortest_path_length}"
        if self.over:
            return f"{self.outcome()}, {episode}"
        advice = f", the student goes {self.advice}" if self.advice else ""
        return (
            f"world step {self.maze.world_step:,}, episode step {self.episode_steps:,}, {episode}"
            f"{advice}"
        )

    @property
    def advice(self) -> str:
        """Direction of the student's next move; "" without a student."""
        if self.advisor is None or self.over:
            return ""
        action = self.advisor.action
        return next(name for name, key in ARROWS.items() if self._actions[key] == action)

    def summary(self) -> str:
        """Return one line about the whole walk."""
        goals = format_count(len(self._lengths), "time")
        walk = f"{format_count(self.num_steps, 'step')}, {goals} at the goal"
        if self._lengths:
            walk = f"{walk}, at best after {min(self._lengths):,}"
        if self.advisor is not None:
            walk += f"; {format_count(self.advisor.num_steps, 'step')} by {self.advisor.name}"
        return walk

    @property
    def shortest_path_length(self) -> int:
        """Steps from cell to cell on a shortest path from the start to the goal."""
        return self.maze.layout.shortest_path_length

    def _begin(self, seed: int | None) -> None:
        self.over = self._at_goal = False
        self.episode_steps, self.episode_return = 0, 0.0
        self._observation, _ = self.env.reset(seed=seed)
        if self.advisor is not None:
            self.advisor.begin(self._observation)

    def _move(self, action: Any) -> None:
        before = self._observation
        self._observation, reward, terminated, truncated, _ = self.env.step(action)
        if self.advisor is not None:
            self.advisor.follow(
                before, action, float(reward), self._observation, terminated, truncated
            )
        self.num_steps += 1
        self.episode_steps += 1
        self.episode_return += float(reward)
        self.over, self._at_goal = terminated or truncated, terminated
        if terminated:
            self._lengths.append(self.episode_steps)


def keys_to_action(maze: MazeEnv) -> dict[tuple[str, ...], Any]:
    """Return the actions of keys, as for Gymnasium's `play`."""
    keys: dict[tuple[str, ...], Any] = maze.get_keys_to_action()  # type: ignore[attr-defined]  # each kind of maze has its own
    return keys


# -- in a window -----------------------------------------------------------------------------------

GOAL_POLLS = 45
"""Number of polls during which the end of an episode is shown before the next one begins."""

REPEAT_MS = (200, 50)
"""Delay and period of repeated keys in continuous mazes, whose steps are small."""

SHORTEST_PATH_KEY = "t"

KEYS = (
    "arrow keys or W A S D: walk;  R: new episode;  T: the shortest path;  Esc or Q: end\n"
    "1: optimal values,  2: action values,  3: policy,  4: visits,  0: none of them\n"
    f"{SHARED_KEYS}"
)

STUDENT_HELP = (("N", "the student's move"),)

HELP = (
    ("", "walk"),
    ("arrows", "walk; W A S D too"),
    ("R", "new episode"),
    ("T", "shortest path"),
    *SHARED_LINES,
    ("Esc or Q", "end"),
    *MOUSE_LINES,
    *(line for line in OVERLAY_LINES if line[0] not in ("5", "6", "7")),
)


class WalkSession:
    """Session of a person who walks a maze in a window.

    Attributes:
        state: state of the walk.
        window: the window.
        title: name of the environment.
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        title: str,
        *,
        seed: int | None = None,
        advisor: Advisor | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Open the window.

        Args:
            env: a maze with render mode "rgb_array".
            title: name of the environment.
            seed: of the first reset; None for no seed.
            advisor: a student beside the person.
            clock: returns seconds.
        """
        self.title = title
        camera = Camera(env, max_size_on_desktop())
        self._recorded = RecordStatistics(env, camera, GAMMA)
        self.state = WalkState(self._recorded, seed=seed, advisor=advisor)
        self._overlays = EnvOverlays(self.state.maze, self._recorded)
        self._pressed: list[str] = []  # keys that are not handled yet
        self.window = ViewerWindow(
            env,
            camera=camera,
            display=open_window(title),
            overlay_source=self._overlays,
            help_lines=HELP if advisor is None else (*HELP[:4], *STUDENT_HELP, *HELP[4:]),
            clock=clock,
        )

    def process_keys(self) -> bool:
        """Handle keys up to the end of the episode; return False if the user ends the session."""
        self._pressed += self.window.process_events()
        while self._pressed and not self.state.over:
            key = self._pressed.pop(0)
            if key in QUIT_KEYS:
                return False
            if key == SHORTEST_PATH_KEY:
                self._toggle_shortest_path()
            elif self._handle(key):
                self.window.invalidate()
        self._pressed.clear()  # those after the end of an episode
        return not self.window.closed

    def _handle(self, key: str) -> bool:
        """Handle a key in another thread: the first step may compile."""
        fields = self._fields()

        def poll() -> list[tuple[str, str]]:
            self._pressed += self.window.process_events(busy=True)
            return fields

        return self.window.answer_during(lambda: self.state.handle_key(key), poll)

    def refresh(self) -> None:
        """Draw a frame if the last one is out of date."""
        if self.window.stale:
            note = self.state.outcome() if self.state.over else self.title
            self.window.refresh(self._fields(), note)

    def _toggle_shortest_path(self) -> None:
        shown = not (self._overlays.shortest_path_only and "policy" in self.window.shown)
        self._overlays.shortest_path_only = shown
        (self.window.shown.add if shown else self.window.shown.discard)("policy")
        self.window.set_status(f"the shortest path: {'on' if shown else 'off'}")

    def _fields(self) -> list[tuple[str, str]]:
        state = self.state
        return [
            ("world step", f"{state.maze.world_step:,}"),
            ("episode step", f"{state.episode_steps:,}"),
            ("return", f"{state.episode_return:.4g}"),
            ("shortest path", f"{state.shortest_path_length:,}"),
            ("regret", format_regret(self._recorded.total_regret)),
            *([("student goes", state.advice)] if state.advice else []),
        ]


def play_in_window(session: WalkSession, *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Play until the user ends the session or closes the window; then print a summary.

    Args:
        session: the session.
        sleep: called between two polls of the keys.
    """
    print(KEYS, flush=True)
    before = None
    try:
        with session.window:
            session.refresh()
            before = _repeat_keys(None if isinstance(session.state.maze, GridEnv) else REPEAT_MS)
            while session.process_keys():
                session.refresh()
                if session.state.over:
                    _show_end(session, sleep)
                sleep(POLL_SECONDS)
    finally:
        _repeat_keys(before)
        print(f"{session.title}: {session.state.summary()}")
        for path in session.window.recorder.saved:
            print(f"saved {path}")


def _show_end(session: WalkSession, sleep: Callable[[float], None]) -> None:
    """Show the end of an episode for a while, dropping the keys, and begin a new one."""
    for _ in range(GOAL_POLLS):
        sleep(POLL_SECONDS)
        session.window.process_events()
        session.refresh()
    session.state.restart()
    session.window.invalidate()


def _repeat_keys(times: tuple[int, int] | None) -> tuple[int, int] | None:
    """Set how pressed keys repeat, which pygame has for all windows together.

    Args:
        times: delay and period in milliseconds; None leaves them unchanged.

    Returns:
        Those before; None if they were not changed.
    """
    import pygame

    if times is None or not pygame.display.get_init():
        return None
    before: tuple[int, int] = pygame.key.get_repeat()
    pygame.key.set_repeat(*times)
    return before


# -- in the terminal -------------------------------------------------------------------------------

ESCAPES = {"\x1b[a": "up", "\x1b[b": "down", "\x1b[c": "right", "\x1b[d": "left"}
"""Escape sequences of the arrow keys, in lower case."""

TEXT_KEYS = (
    "w a s d (up left down right): walk, several in a line if you like;  "
    "r: new episode;  q: end;  then Enter"
)

STUDENT_TEXT = "n: the student's move"


def play_in_terminal(walk: WalkState, lines: Iterable[str], title: str) -> None:
    """Play until the lines end or contain a quit key; then print a summary.

    Args:
        walk: the walk; its environment renders text.
        lines: the user's input.
        title: of the summary.
    """
    try:
        _play(walk, lines)
    finally:
        print(f"{title}: {walk.summary()}")


def _play(walk: WalkState, lines: Iterable[str]) -> None:
    keys = TEXT_KEYS if walk.advisor is None else f"{STUDENT_TEXT};  {TEXT_KEYS}"
    print(keys)
    _show(walk)
    for line in lines:
        for key in read_keys(line):
            if key in QUIT_KEYS:
                return
            if not walk.handle_key(key):
                print(f"unknown key {key!r}; {keys}")
            if walk.over:
                _show(walk)
                walk.restart()
        _show(walk)


def read_keys(line: str) -> list[str]:
    """Return the keys in a typed line: letters, arrow keys, or up, right, down, left as words."""
    keys = re.findall(r"up|right|down|left|\x1b\[[abcd]|\S", line.lower())
    return [ESCAPES.get(key, key) for key in keys]


def _show(walk: WalkState) -> None:
    print(f"{walk.env.render()}\n{walk.status()}\n", flush=True)
