"""Walking a maze in a window."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gymnasium as gym

from dynamaze.envs import GridEnv

from .environment import Camera
from .ground_truth import GAMMA, EnvOverlays
from .session import POLL_SECONDS
from .statistics import RecordStatistics, format_regret
from .walk_state import QUIT_KEYS, WalkState
from .window import (
    MOUSE_LINES,
    OVERLAY_LINES,
    SHARED_LINES,
    ViewerWindow,
    max_size_on_desktop,
    open_window,
)

GOAL_POLLS = 45
"""Number of polls during which the end of an episode is shown before the next one begins."""

REPEAT_MS = (200, 50)
"""Delay and period of repeated keys in continuous mazes, whose steps are small."""

SHORTEST_PATH_KEY = "t"

KEYS = (
    "arrow keys or W A S D: walk;  R: new episode;  T: the shortest path;  Esc or Q: end\n"
    "1: optimal values,  2: action values,  3: policy,  4: visits,  0: none of them\n"
    "click or drag: walls;  right click: goal;  shift+click: start\n"
    "V: video;  P: picture;  H: help"
)

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
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Open the window.

        Args:
            env: a maze with render mode "rgb_array".
            title: name of the environment.
            seed: of the first reset; None for no seed.
            clock: returns seconds.
        """
        self.title = title
        camera = Camera(env, max_size_on_desktop())
        self._recorded = RecordStatistics(env, camera, GAMMA)
        self.state = WalkState(self._recorded, seed=seed)
        self._overlays = EnvOverlays(self.state.maze, self._recorded)
        self.window = ViewerWindow(
            env,
            camera=camera,
            display=open_window(title),
            overlay_source=self._overlays,
            help_lines=HELP,
            clock=clock,
        )

    def process_keys(self) -> bool:
        """Handle keys up to the end of the episode; return False if the user ends the session."""
        for key in self.window.process_events():
            if key in QUIT_KEYS:
                return False
            if key == SHORTEST_PATH_KEY:
                self._toggle_shortest_path()
            elif self.state.handle_key(key):
                self.window.invalidate()
            if self.state.over:
                break
        return not self.window.closed

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
        state, regret = self.state, self._recorded.regret
        return [
            ("world step", f"{state.maze.world_step:,}"),
            ("episode step", f"{state.episode_steps:,}"),
            ("return", f"{state.episode_return:.4g}"),
            ("shortest path", f"{state.shortest_path_length:,}"),
            ("regret", format_regret(None if regret is None else regret.total)),
        ]


def play_in_window(session: WalkSession, *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Play until the user ends the session or closes the window; then print a summary.

    Args:
        session: the session.
        sleep: called between two polls of the keys.
    """
    print(KEYS, flush=True)
    try:
        with session.window:
            session.refresh()
            _repeat_keys(not isinstance(session.state.maze, GridEnv))
            while session.process_keys():
                session.refresh()
                if session.state.over:
                    _show_end(session, sleep)
                sleep(POLL_SECONDS)
    finally:
        _repeat_keys(False)
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


def _repeat_keys(enabled: bool) -> None:
    """Set whether pressed keys repeat, which pygame has for all windows together."""
    import pygame

    if pygame.display.get_init():
        pygame.key.set_repeat(*(REPEAT_MS if enabled else (0, 0)))
