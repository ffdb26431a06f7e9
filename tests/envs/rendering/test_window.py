"""Windows: independent, closable, and robust against other users of pygame."""

from __future__ import annotations

import gc
import importlib
import os
import subprocess
import sys
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType, SimpleNamespace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from dynamaze.envs.rendering import FramePainter, RenderWindow, Scene
from dynamaze.envs.rendering.scene import Frame
from dynamaze.envs.rendering.window import (
    LONGEST_QUEUE,
    MISSING,
    MIXED_UP,
    _open_windows,
    fit,
)

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


def test_quit_event_closes_reading_window(pygame: Any, window: RenderWindow) -> None:
    other = new_window()
    pygame.event.post(pygame.event.Event(pygame.QUIT))
    other.show(FRAME)
    assert (other.closed_by_user, window.events(), window.closed_by_user) == (False, [], True)
    window.close()
    window.show(FRAME)  # an earlier QUIT does not close it
    assert (window.events(), window.closed_by_user) == ([], False)
    assert pygame.event.peek(pygame.QUIT), "the caller's"
    other.close()


def foreign_events(pygame: Any) -> list[Any]:
    """Return events that a caller may post, of no window and of the caller's own."""
    event, own = pygame.event.Event, pygame.Window("own", (20, 20))
    pygame.event.clear()
    return [
        event(pygame.KEYDOWN, key=pygame.K_a, unicode="a"),
        event(pygame.USEREVENT + 3, payload=[1]),
        event(pygame.QUIT),
        event(pygame.WINDOWCLOSE, window=own),
        event(pygame.MOUSEBUTTONDOWN, pos=(1, 2), button=1, window=own),
        event(pygame.KEYUP, key=pygame.K_a, window=None),
        event(pygame.MOUSEMOTION, pos=(1, 2), rel=(0, 0), buttons=(0, 0, 0)),
        event(pygame.USEREVENT, payload={}),
    ]


@pytest.mark.parametrize("call", ["show", "events", "close", "title", "fullscreen"])
def test_foreign_events_stay_in_order(pygame: Any, call: str) -> None:
    posted, window, gone = foreign_events(pygame), new_window(), new_window()
    press_close_button(pygame, gone)
    for number, event in enumerate(posted):
        pygame.event.post(event)
        pygame.event.post(
            pygame.event.Event(pygame.WINDOWENTER, window=handle(window), number=number)
        )
    {
        "show": lambda: window.show(FRAME),
        "title": lambda: setattr(window, "title", "new"),
        "fullscreen": window.toggle_fullscreen,
    }.get(call, getattr(window, call, None))()
    window.show(FRAME)
    left = pygame.event.get()  # with those of the windows' appearance
    assert [event for event in left if event in posted] == posted
    assert not any(getattr(event, "number", None) for event in left)
    assert gone.closed_by_user
    window.close()


def test_own_input_stays_until_read(pygame: Any, window: RenderWindow) -> None:
    pygame.event.clear()
    press_key(pygame, window, pygame.K_UP)
    window.show(FRAME)
    (left,) = pygame.event.get(pygame.KEYDOWN)
    pygame.event.post(left)
    assert [event.key for event in window.events()] == [pygame.K_UP]
    assert not pygame.event.peek(pygame.KEYDOWN)


def test_unread_input_is_limited(pygame: Any, window: RenderWindow) -> None:
    pygame.event.clear()
    for x in range(LONGEST_QUEUE + 500):
        motion = {"pos": (x, 0), "rel": (1, 0), "buttons": (0, 0, 0)}
        pygame.event.post(pygame.event.Event(pygame.MOUSEMOTION, window=handle(window), **motion))
    window.show(FRAME)
    left = pygame.event.get(pygame.MOUSEMOTION)
    assert [event.pos[0] for event in left] == list(range(500, LONGEST_QUEUE + 500))


def test_callers_display_survives(pygame: Any) -> None:
    pygame.init()
    screen = pygame.display.set_mode((40, 30))
    screen.fill((1, 2, 3))
    window = new_window()
    press_close_button(pygame, window)
    window.show(FRAME)
    window.close()
    pygame.display.flip()
    assert pygame.display.get_surface() is screen
    assert tuple(screen.get_at((5, 5)))[:3] == (1, 2, 3)
    assert pygame.get_init()


# -- size ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "room", "expected"),
    [
        ((288, 192), (576, 384), (2, (576, 384), (0, 0))),
        ((288, 192), (800, 500), (2, (576, 384), (112, 58))),
        ((288, 192), (144, 400), (0.5, (144, 96), (0, 152))),
        ((1000, 1), (10, 10), (0.01, (10, 1), (0, 4))),
        ((1, 1), (3000, 2000), (2000, (2000, 2000), (500, 0))),
        ((300, 200), (1, 1), (1 / 300, (1, 1), (0, 0))),
    ],
)
def test_fit_keeps_aspect_ratio(frame: Any, room: Any, expected: Any) -> None:
    scale, *place = fit(frame, room)
    assert (pytest.approx(scale), *place) == expected


@pytest.mark.parametrize("size", [(800, 500), (100, 300), (1, 1), (2500, 40)])
def test_resized_window_keeps_size(pygame: Any, window: RenderWindow, size: Any) -> None:
    assert window.resized_to is None
    handle(window).size = size
    opened = handle(window)
    window.events()  # draws the latest frame in the new size
    scale, (width, height), (x, y) = fit(FRAME.shape[1::-1], size)
    shown = pixels(pygame, window)
    assert (window.resized_to, shown.shape) == (size, (size[1], size[0], 3))
    if scale >= 1:
        enlarged = FRAME.repeat(scale, axis=0).repeat(scale, axis=1)
        np.testing.assert_array_equal(shown[y : y + height, x : x + width], enlarged)
        assert window.position_in_frame((x, y)) == (0, 0)
        assert window.position_in_frame((x + width - 1, y + height - 1)) == (287, 191)
    window.show(FRAME[:64, :32])
    assert (handle(window), window.resized_to) == (opened, size)
    handle(window).size = (576, 384)
    window.show(FRAME)
    assert window.resized_to is None


def test_minimised_window_is_not_drawn(pygame: Any, window: RenderWindow) -> None:
    shown = pixels(pygame, window)
    pygame.event.post(pygame.event.Event(pygame.WINDOWMINIMIZED, window=handle(window)))
    window.show(255 - FRAME)
    np.testing.assert_array_equal(pixels(pygame, window), shown)
    pygame.event.post(pygame.event.Event(pygame.WINDOWRESTORED, window=handle(window)))
    window.events()
    np.testing.assert_array_equal(pixels(pygame, window)[::2, ::2], 255 - FRAME)


def test_window_fits_desktop(pygame: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("dynamaze.envs.rendering.window")
    monkeypatch.setattr(module, "desktop_room", lambda: (300, 400))
    window = new_window()
    assert (window.resized_to, window.scale) == ((300, 200), 1)
    window.close()


def test_fullscreen_toggles(pygame: Any, window: RenderWindow) -> None:
    window.toggle_fullscreen()
    assert window.resized_to == pygame.display.get_desktop_sizes()[0]
    window.toggle_fullscreen()
    assert window.resized_to is None
    window.close()
    window.toggle_fullscreen()


# -- environments ----------------------------------------------------------------------------------


@pytest.mark.parametrize("env_id", ["DynaMaze-v0", "DynaMazeBlocking-v0"])
def test_human_windows_have_numbers(pygame: Any, env_id: str) -> None:
    envs = [gym.make(env_id, render_mode="human") for _ in range(3)]
    for env in envs:
        env.reset(seed=0)
        env.render()
    windows = [env.unwrapped.window for env in envs]
    assert [window.title for window in windows] == [f"{env_id} ({n})" for n in (1, 2, 3)]
    press_close_button(pygame, windows[1])
    for env in envs:
        env.render()
    assert [window.closed_by_user for window in windows] == [False, True, False]
    assert {window.title for window in _open_windows} == {f"{env_id} ({n})" for n in (1, 3)}
    envs[1].step(envs[1].action_space.sample())  # goes on without a window
    envs[1].close()
    envs[1].render()
    assert envs[1].unwrapped.window.title == f"{env_id} (2)"
    for env in envs:
        env.close()


@pytest.mark.parametrize(
    ("layout", "room", "size"),
    [
        (["S.G"], None, 64),
        (["S" + "." * 99 + "G"] + ["." * 101] * 100, None, 10),
        (["S.G"], (500, 150), 128),
        (["S.G"], (20, 3000), 6),
        (["S.G"], (2, 2), 1),
    ],
)
def test_human_cells_fill_window(pygame: Any, layout: Any, room: Any, size: int) -> None:
    env = gym.make("DynaMaze-v0", layout=layout, render_mode="human")
    env.reset(seed=0)
    env.render()
    if room is not None:
        handle(env.unwrapped.window).size = room  # type: ignore[attr-defined]
        env.render()
    image = env.unwrapped.window._image  # type: ignore[attr-defined]
    assert image.get_size() == (len(layout[0]) * size, len(layout) * size)
    env.close()


def test_windows_in_two_threads(pygame: Any) -> None:
    windows = [RenderWindow(str(number), fps=0) for number in range(2)]

    def draw(window: RenderWindow) -> None:
        for _ in range(20):
            window.show(FRAME)
            window.events()

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(draw, windows))
    for window in windows:
        np.testing.assert_array_equal(pixels(pygame, window)[::2, ::2], FRAME)
        window.close()


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


@pytest.mark.skipif(sys.platform != "linux", reason="other systems always have a display")
def test_missing_display_prints_no_foreign_line() -> None:
    code = "from dynamaze.envs.rendering.window import require_display; require_display('do this')"
    unset = ("DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR", "SDL_VIDEODRIVER")
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={name: value for name, value in os.environ.items() if name not in unset},
        capture_output=True,
        text=True,
        check=False,
    )
    first, last = run.stderr.splitlines()[:: len(run.stderr.splitlines()) - 1]
    assert first.startswith("Traceback")
    assert last == "RuntimeError: there is no display to open a window on; do this"
