"""Window of the viewer: its size, and its answers during long work."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dynamaze.envs.rendering.colors import map_colors
from dynamaze.envs.rendering.scene import Frame
from dynamaze.viewer import window as module
from dynamaze.viewer.environment import Camera, make_env
from dynamaze.viewer.layout import STRIP_HEIGHT
from dynamaze.viewer.overlays import EnvOverlays
from dynamaze.viewer.statistics import RecordStatistics
from dynamaze.viewer.view import View
from dynamaze.viewer.window import MAX_SIZE, ViewerWindow, open_window

FIELDS = [("world step", "1")]


@pytest.fixture
def viewer(user: Any) -> Iterator[ViewerWindow]:
    """Window on the 6x9 maze, which a scripted user sees."""
    env = make_env("DynaMaze-v0")
    camera = Camera(env, MAX_SIZE)
    recorded = RecordStatistics(env, camera, 0.95)
    recorded.reset(seed=0)
    overlays = EnvOverlays(env.unwrapped, recorded)  # type: ignore[arg-type]  # a maze
    window = ViewerWindow(
        View(env, camera, overlays),
        display=open_window("maze"),
        clock=user.clock,
    )
    user.window = window.display
    with window:
        window.refresh(FIELDS, "")
        yield window


def handle(viewer: ViewerWindow) -> Any:
    return viewer.display._handle  # type: ignore[union-attr]


def screen(viewer: ViewerWindow) -> Frame:
    """Return the pixels of the window."""
    import pygame

    shown: Frame = pygame.surfarray.array3d(handle(viewer).get_surface()).swapaxes(0, 1)
    return shown


# -- size ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "cell"),
    [((700, 600), 76), ((577, 481), 64), ((900, 400), 50), ((200, 900), 32)],
)
def test_frame_follows_window(viewer: ViewerWindow, user: Any, size: Any, cell: int) -> None:
    assert not viewer.stale
    handle(viewer).size = size
    assert viewer.stale
    viewer.refresh(FIELDS, "")
    assert viewer.stale is False
    assert viewer.views[0].camera.cell_size == cell
    frame, (x, y) = viewer._frame, viewer._layout.origin
    assert frame is not None
    picture = viewer.views[0].camera.render()
    np.testing.assert_array_equal(frame[y : y + 6 * cell, x : x + 9 * cell], picture)
    if size[0] >= 300:
        np.testing.assert_array_equal(screen(viewer), frame)
        user.click(x + 2 * cell + 1, y + cell - 1)()
        viewer.process_events()
        assert viewer.views[0].maze is not None
        assert viewer.views[0].maze.layout.walls[0, 2]
    handle(viewer).size = (576, 384 + STRIP_HEIGHT)
    viewer.refresh(FIELDS, "")
    assert viewer.views[0].camera.cell_size == 64


@pytest.mark.parametrize("size", [(1, 1), (60, 900), (3000, 30)])
def test_extreme_window_is_drawn(viewer: ViewerWindow, size: Any) -> None:
    handle(viewer).size = size
    viewer.refresh(FIELDS, "a note")
    assert screen(viewer).shape == (size[1], size[0], 3)


def test_video_keeps_its_size(viewer: ViewerWindow, tmp_path: Any) -> None:
    viewer.recorder.start(tmp_path / "video.gif")
    viewer.refresh(FIELDS, "", 0.0)
    handle(viewer).size = (800, 700)
    viewer.refresh(FIELDS, "", 1.0)
    assert viewer._frame is not None
    assert viewer._frame.shape == (384 + STRIP_HEIGHT, 576, 3)
    assert viewer.recorder.stop().startswith("saved")
    viewer.refresh(FIELDS, "")
    assert viewer._frame.shape == (700, 800, 3)


def test_full_screen_key(viewer: ViewerWindow, user: Any) -> None:
    user.keys("F11")()
    assert viewer.process_events() == []
    assert viewer.stale
    viewer.refresh(FIELDS, "")
    assert screen(viewer).shape == (768, 1024, 3)  # of SDL's dummy display


# -- overlays --------------------------------------------------------------------------------------


def test_color_bar_of_values(viewer: ViewerWindow) -> None:
    viewer.show_overlays(["state-values"])
    viewer.refresh(FIELDS, "")
    assert viewer._status.overlays == "state values"
    assert viewer._status.values == (0.25, 1.0)
    strip = screen(viewer)[-STRIP_HEIGHT:]
    for level in (0.0, 1.0):  # both ends of the scale, as in the bar
        assert (strip == map_colors(np.array(level))).all(axis=2).sum() >= 10
    viewer.toggle("values")
    assert viewer._message == "state values: off"
    viewer.refresh(FIELDS, "")
    assert viewer._status.values is None


def test_film_updates_overlays_now_and_then() -> None:
    env = make_env("DynaMaze-v0")
    camera = Camera(env, MAX_SIZE)
    recorded = RecordStatistics(env, camera, 0.95)
    recorded.reset(seed=0)
    overlays = EnvOverlays(env.unwrapped, recorded)  # type: ignore[arg-type]  # a maze
    view = View(env, camera, overlays)
    assert view.maze is not None
    window = ViewerWindow(view, display=None)
    window.show_overlays(["visit-counts"])
    counted = []
    for step in range(12):  # in tenths of a second
        recorded.step(3)
        window.refresh(FIELDS, "", now=step / 10)
        assert view.maze.overlays.visits is not None
        counted.append(int(view.maze.overlays.visits.sum()))
    assert counted == [1, 1, 1, 1, 1, 6, 6, 6, 6, 6, 11, 11]
    window.compose_frame(FIELDS, "")  # a picture alone has the present ones
    assert view.maze.overlays.visits.sum() == 12
    env.close()


# -- long work -------------------------------------------------------------------------------------


def test_window_answers_during_work(
    viewer: ViewerWindow, user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.0)
    monkeypatch.setattr(module, "BUSY_FRAME_SECONDS", 0.0)
    done, seen, keys = threading.Event(), list[Frame](), list[str]()
    before = screen(viewer)
    user.click(64 * 2 + 5, 5)()
    user.keys("SPACE", "1")()

    def poll() -> list[tuple[str, str]]:
        keys.extend(viewer.process_events(busy=True))
        seen.append(screen(viewer))
        if len(seen) == 3:
            done.set()
        return FIELDS

    def work() -> str:
        assert threading.current_thread() is not threading.main_thread()
        assert done.wait(10)
        return "result"

    assert viewer.answer_during(work, poll) == "result"
    assert keys == ["space"]
    assert viewer.shown == {"trail", "changed", "values"}
    assert viewer.views[0].maze is not None
    assert not viewer.views[0].maze.layout.walls[0, 2], "the maze may not change during the work"
    assert (seen[-1][180:210, 200:380] != before[180:210, 200:380]).any(), "the message"
    np.testing.assert_array_equal(seen[-1][:150], before[:150])
    assert viewer.process_events() == []
    assert viewer.views[0].maze.layout.walls[0, 2]


def test_work_raises_its_error(viewer: ViewerWindow) -> None:
    with pytest.raises(ZeroDivisionError):
        viewer.answer_during(lambda: 1 / 0, lambda: FIELDS)
    assert viewer.answer_during(lambda: 3, lambda: FIELDS) == 3


def test_hidden_window_stays_closed(viewer: ViewerWindow) -> None:
    viewer.hide()
    viewer._show_busy(FIELDS, "computing")
    viewer.refresh(FIELDS, "")
    assert handle(viewer) is None
    assert viewer.closed


def test_compilation_is_seen() -> None:
    numba = pytest.importorskip("numba")
    from numba.core import event

    from dynamaze.viewer.busy import watch_compiler

    assert numba is not None
    with watch_compiler() as is_compiling:
        assert not is_compiling()
        with event.trigger_event("numba:compile"), event.trigger_event("numba:compile"):
            assert is_compiling()
        assert not is_compiling()


def test_no_compiler_without_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    from dynamaze.viewer import busy

    monkeypatch.setattr(busy, "sys", SimpleNamespace(modules={}))
    with busy.watch_compiler() as is_compiling:
        assert not is_compiling()
