"""Walking a maze in a window."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gymnasium as gym

from dynamaze.envs import GridEnv

from .controls import NAP
from .environment import Camera
from .ground_truth import GAMMA, Truth
from .keys import MOUSE_LINES, OVERLAY_LINES, SHARED_LINES
from .statistics import written
from .walk_state import QUIT_KEYS, Game
from .window import Screen, open_window, room_on_desktop
from .witness import Witness

GOAL_NAPS = 45
"""For so many naps the arrival at a goal is seen before the next episode begins."""

REPEAT_MS = (200, 50)
"""Until a key that is held down repeats, and between two repetitions: a point walks small steps."""

HINT_KEY = "t"

KEYS = (
    "arrow keys or W A S D: walk;  R: new episode;  T: the shortest way;  Esc or Q: end\n"
    "1: optimal values,  2: action values,  3: policy,  4: visits,  0: none of them\n"
    "click or drag: walls;  right click: goal;  shift+click: start\n"
    "V: film;  P: picture;  H: help"
)

HELP = (
    ("", "walk"),
    ("arrows", "walk; W A S D too"),
    ("R", "new episode"),
    ("T", "shortest way"),
    *SHARED_LINES,
    ("Esc or Q", "end"),
    *MOUSE_LINES,
    *(line for line in OVERLAY_LINES if line[0] not in ("5", "6", "7")),
)


class Walk:
    """A person's walk in a window.

    Attributes:
        game: the walk.
        screen: the window.
        title: what is walked.
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
            env: a maze that gives frames.
            title: what is walked.
            seed: of the first reset; None seeds nothing.
            clock: tells the seconds.
        """
        self.title = title
        camera = Camera(env, room_on_desktop())
        self._witness = Witness(env, camera, GAMMA)
        self.game = Game(self._witness, seed=seed)
        self._truth = Truth(self.game.maze, self._witness)
        self.screen = Screen(
            env,
            camera=camera,
            window=open_window(title),
            source=self._truth,
            help_lines=HELP,
            clock=clock,
        )

    def hear(self) -> bool:
        """Do what the keys say, up to the end of the episode; False when the person ends it."""
        for key in self.screen.hear():
            if key in QUIT_KEYS:
                return False
            if key == HINT_KEY:
                self._toggle_hints()
            elif self.game.press(key):
                self.screen.touch()
            if self.game.over:
                break
        return not self.screen.closed

    def draw(self) -> None:
        """Draw, if something has changed."""
        if self.screen.stale:
            self.screen.draw(self._fields(), self.game.outcome() if self.game.over else self.title)

    def _toggle_hints(self) -> None:
        self._truth.hints = not (self._truth.hints and "policy" in self.screen.shown)
        (self.screen.shown.add if self._truth.hints else self.screen.shown.discard)("policy")
        self.screen.say(f"the shortest way: {'on' if self._truth.hints else 'off'}")

    def _fields(self) -> list[tuple[str, str]]:
        game, regret = self.game, self._witness.regret
        return [
            ("world step", f"{game.maze.world_step:,}"),
            ("episode step", f"{game.episode_steps:,}"),
            ("return", f"{game.episode_return:.4g}"),
            ("shortest way", f"{game.shortest_way:,}"),
            ("regret", written(None if regret is None else regret.total)),
        ]


def play_in_window(walk: Walk, *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Play until the person ends it or closes the window; then tell how it went.

    Args:
        walk: the walk.
        sleep: how to spend the time between two looks at the keys.
    """
    print(KEYS, flush=True)
    try:
        with walk.screen:
            walk.draw()
            _repeat_keys(not isinstance(walk.game.maze, GridEnv))
            while walk.hear():
                walk.draw()
                if walk.game.over:
                    _celebrate(walk, sleep)
                sleep(NAP)
    finally:
        _repeat_keys(False)
        print(f"{walk.title}: {walk.game.summary()}")
        for path in walk.screen.studio.saved:
            print(f"saved {path}")


def _celebrate(walk: Walk, sleep: Callable[[float], None]) -> None:
    """Let the arrival be seen, then begin a new episode; what is typed meanwhile is dropped."""
    for _ in range(GOAL_NAPS):
        sleep(NAP)
        walk.screen.hear()
        walk.draw()
    walk.game.restart()
    walk.screen.touch()


def _repeat_keys(wanted: bool) -> None:
    """Whether a key that is held down goes on, which pygame keeps for all windows."""
    import pygame

    if pygame.display.get_init():
        pygame.key.set_repeat(*(REPEAT_MS if wanted else (0, 0)))
