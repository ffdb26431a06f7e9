"""Window on SDL's dummy display with a scripted user."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dynamaze.envs.rendering.window import RenderWindow

Act = Callable[[], None]

WITH_SIGINT = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from dynamaze.app.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def interruptible() -> list[str]:
    """Return a command line of `dynamaze` that obeys SIGINT also in background processes."""
    return [sys.executable, "-c", WITH_SIGINT]


@pytest.fixture
def pygame(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Yield pygame on SDL's dummy display, and shut it down afterwards."""
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    module = importlib.import_module("pygame")
    module.quit()
    yield module
    module.quit()


class ScriptedUser:
    """User of a window who does the next action of a script at each sleep of the viewer.

    Time passes during these sleeps only. The attribute `window` is set by the test.
    """

    def __init__(self, pygame: Any) -> None:
        self.pygame = pygame
        self.script: list[Act | None] = []
        self.now = 0.0
        self.window: RenderWindow | None = None

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.script:
            act = self.script.pop(0)
            if act is not None:
                act()

    def post(self, kind: int, **details: Any) -> None:
        assert self.window is not None
        event = self.pygame.event.Event(kind, window=self.window._handle, **details)
        self.pygame.event.post(event)

    def keys(self, *names: str) -> Act:
        def press() -> None:
            for name in names:
                self.post(self.pygame.KEYDOWN, key=getattr(self.pygame, f"K_{name}"))

        return press

    def click(self, x: int, y: int, button: int = 1) -> Act:
        def press() -> None:
            self.post(self.pygame.MOUSEBUTTONDOWN, pos=(x, y), button=button)
            self.post(self.pygame.MOUSEBUTTONUP, pos=(x, y), button=button)

        return press

    def drag(self, *points: tuple[int, int]) -> Act:
        def paint() -> None:
            self.post(self.pygame.MOUSEBUTTONDOWN, pos=points[0], button=1)
            for point in points[1:]:
                self.post(self.pygame.MOUSEMOTION, pos=point, rel=(0, 0), buttons=(1, 0, 0))
            self.post(self.pygame.MOUSEBUTTONUP, pos=points[-1], button=1)

        return paint

    def close_button(self) -> None:
        self.post(self.pygame.WINDOWCLOSE)


@pytest.fixture
def user(pygame: Any) -> ScriptedUser:
    return ScriptedUser(pygame)
