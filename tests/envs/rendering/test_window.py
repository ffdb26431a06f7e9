"""Windows: independent, closable, and robust against other users of pygame."""

from __future__ import annotations

import gc
import importlib
import os
import subprocess
import sys
import weakref
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dynamaze.envs.rendering import FramePainter, RenderWindow, Scene
from dynamaze.envs.rendering.scene import Frame
from dynamaze.envs.rendering.window import MISSING, MIXED_UP

FRAME: Frame = FramePainter(6, 9).paint(
    Scene(np.zeros((6, 9), dtype=np.bool_), ((5, 3),), ((0, 8),), (2, 2))
)

# A process with an open window sends itself SIGTERM, after which it must not print "running".
SEND_SIGTERM = """
import os, signal, time
import numpy as np
from dynamaze.envs.rendering import RenderWindow
RenderWindow("w", fps=0).show(np.zeros((8, 8, 3), np.uint8))
os.kill(os.getpid(), signal.SIGTERM)
time.sleep(0.2)
print("running")
"""


@pytest.fixture
def pygame(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Give pygame on SDL's dummy display, and shut it down afterwards."""
    module = pytest.importorskip("pygame")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    module.quit()
    yield module
    module.quit()


@pytest.fixture
def window(pygame: Any) -> Iterator[RenderWindow]:
    shown = new_window()
    yield shown
    shown.close()


def new_window(title: str = "maze") -> RenderWindow:
    window = RenderWindow(title, fps=0)
    window.show(FRAME)
    return window


def handle(window: RenderWindow) -> Any:
    """Return the `pygame.Window`, None while none is open."""
    return window._handle


def pixels(pygame: Any, window: RenderWindow) -> Frame:
    array: Frame = pygame.surfarray.array3d(handle(window).get_surface()).swapaxes(0, 1)
    return array


def press_close_button(pygame: Any, window: RenderWindow) -> None:
    pygame.event.post(pygame.event.Event(pygame.WINDOWCLOSE, window=handle(window)))


def press_key(pygame: Any, window: RenderWindow, key: int) -> None:
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, window=handle(window), key=key))


def test_show_magnifies_by_integer(pygame: Any, window: RenderWindow) -> None:
    assert (window.scale, handle(window).size) == (2, (576, 384))
    np.testing.assert_array_equal(pixels(pygame, window), FRAME.repeat(2, axis=0).repeat(2, axis=1))


def test_show_resizes_window(window: RenderWindow) -> None:
    window.show(np.zeros((1000, 700, 3), dtype=np.uint8))
    assert (window.scale, handle(window).size) == (1, (700, 1000))


def test_show_noncontiguous_frame(pygame: Any, window: RenderWindow) -> None:
    window.show(FRAME[:, ::-1])
    np.testing.assert_array_equal(pixels(pygame, window)[::2, ::2], FRAME[:, ::-1])


def test_show_changes_title(window: RenderWindow) -> None:
    window.show(FRAME, title="episode 7")
    window.show(FRAME)
    assert handle(window).title == "episode 7"


def test_close_button_closes_one_window(pygame: Any, window: RenderWindow) -> None:
    other = new_window()
    press_close_button(pygame, window)
    other.show(FRAME)
    assert (window.closed_by_user, handle(window)) == (True, None)
    assert not other.closed_by_user
    np.testing.assert_array_equal(pixels(pygame, other)[::2, ::2], FRAME)
    other.close()


def test_user_close_lasts_until_close(pygame: Any, window: RenderWindow) -> None:
    press_close_button(pygame, window)
    window.show(FRAME)
    window.show(FRAME)
    assert handle(window) is None
    assert window.events() == []
    window.close()
    assert not window.closed_by_user
    window.show(FRAME)
    assert handle(window) is not None


def test_quit_event_closes_all_windows(pygame: Any, window: RenderWindow) -> None:
    other, never_shown = new_window(), RenderWindow("maze", fps=0)
    pygame.event.post(pygame.event.Event(pygame.QUIT))
    window.events()
    assert (window.closed_by_user, other.closed_by_user) == (True, True)
    assert not never_shown.closed_by_user
    other.close()


def test_close_drops_pending_events(pygame: Any, window: RenderWindow) -> None:
    press_close_button(pygame, window)
    pygame.event.post(pygame.event.Event(pygame.QUIT))
    window.close()
    window.show(FRAME)
    assert window.events() == []
    assert not window.closed_by_user
    assert handle(window) is not None


def test_close_leaves_other_windows(pygame: Any, window: RenderWindow) -> None:
    other = new_window()
    other_handle = handle(other)
    window.close()
    other.show(FRAME)
    assert handle(other) is other_handle
    other.close()


def test_close_is_idempotent(pygame: Any) -> None:
    window = RenderWindow("maze", fps=0)
    window.close()
    window.show(FRAME)
    window.close()
    window.close()
    assert handle(window) is None


def test_events_reach_own_window(pygame: Any, window: RenderWindow) -> None:
    other = new_window()
    press_key(pygame, window, pygame.K_UP)
    press_key(pygame, other, pygame.K_LEFT)
    click = pygame.event.Event(
        pygame.MOUSEBUTTONDOWN, window=handle(window), pos=(3, 4), button=1, touch=False
    )
    pygame.event.post(click)
    other.show(FRAME)
    assert [event.key for event in other.events()] == [pygame.K_LEFT]
    assert [event.type for event in window.events()] == [pygame.KEYDOWN, pygame.MOUSEBUTTONDOWN]
    assert window.events() == []
    other.close()


def test_events_empty_before_show() -> None:
    assert RenderWindow("maze", fps=0).events() == []


@pytest.mark.parametrize("shut_down", ["quit", "display.quit", "display.quit, quit"])
@pytest.mark.parametrize("start_again", [False, True])
def test_show_reopens_after_pygame_quit(
    pygame: Any, window: RenderWindow, shut_down: str, start_again: bool
) -> None:
    if "display.quit" in shut_down:
        pygame.display.quit()
    if shut_down.endswith(" quit") or shut_down == "quit":
        pygame.quit()
    if start_again:
        pygame.display.init()
    window.events()
    window.show(FRAME)
    assert not window.closed_by_user
    np.testing.assert_array_equal(pixels(pygame, window)[::2, ::2], FRAME)


def test_pygame_quit_releases_handles(pygame: Any, window: RenderWindow) -> None:
    # Later it would be too late: SDL gives the memory of a destroyed window to the next one.
    pygame.quit()
    assert handle(window) is None


def test_close_after_pygame_quit(pygame: Any, window: RenderWindow) -> None:
    other = new_window()
    pygame.quit()
    window.close()
    other.close()
    assert not pygame.display.get_init()


def test_window_starts_display_only(pygame: Any) -> None:
    window = new_window()
    window.close()
    assert pygame.display.get_init()
    assert not pygame.get_init()


def test_unreferenced_window_is_collected(pygame: Any) -> None:
    forgotten = weakref.ref(new_window())
    gc.collect()
    assert forgotten() is None


def test_show_waits_for_frame_rate(pygame: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=0.0, naps=[])

    def sleep(seconds: float) -> None:
        clock.naps.append(round(seconds, 6))
        clock.now += seconds

    module = importlib.import_module("dynamaze.envs.rendering.window")
    fake = SimpleNamespace(sleep=sleep, perf_counter=lambda: clock.now)
    monkeypatch.setattr(module, "time", fake)
    window = RenderWindow("maze", fps=10)
    for spent in (0.03, 0.0, 5.0):
        window.show(FRAME)
        clock.now += spent
    window.show(FRAME)
    assert clock.naps == [0.0, 0.07, 0.1, 0.0]
    window.fps = 0
    window.show(FRAME)
    assert len(clock.naps) == 4
    window.close()


@pytest.mark.parametrize(
    "frame", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)]
)
def test_show_rejects_invalid_frame(frame: Any) -> None:
    with pytest.raises(ValueError, match=r"frame: .* expected uint8 of shape \(height, width, 3\)"):
        RenderWindow("maze", fps=0).show(frame)


def test_show_without_display_suggests_rgb_array(
    pygame: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "nowhere")
    with pytest.raises(RuntimeError, match=r'nowhere not available.*render_mode="rgb_array"'):
        RenderWindow("maze", fps=0).show(FRAME)


def test_show_names_missing_pygame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygame", None)
    with pytest.raises(ImportError, match=MISSING):
        RenderWindow("maze", fps=0).show(FRAME)


def test_show_names_wrong_pygame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygame", ModuleType("pygame"))
    with pytest.raises(ImportError) as refusal:
        RenderWindow("maze", fps=0).show(FRAME)
    assert str(refusal.value) == MIXED_UP


@pytest.mark.skipif(os.name != "posix", reason="there are no signals to send")
def test_process_with_window_obeys_sigterm() -> None:
    run = subprocess.run(
        [sys.executable, "-c", SEND_SIGTERM],
        env={**os.environ, "SDL_VIDEODRIVER": "dummy"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout) == (-15, "")
