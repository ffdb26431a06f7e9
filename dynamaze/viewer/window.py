"""Window shared by `watch` and `play`: drawing, overlays, recording, common keys and clicks."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

from dynamaze.envs.mazes.layout import Cell
from dynamaze.envs.rendering.overlays import OVERLAYS, SWITCHES, find_overlay, overlay_title
from dynamaze.envs.rendering.scene import Frame
from dynamaze.envs.rendering.window import (
    RenderWindow,
    desktop_room,
    pressed_key,
    require_display,
)

from .busy import watch_compiler
from .editor import MazeEditor
from .environment import BLANK_FRAME
from .layout import STRIP_HEIGHT, HelpLine, Status, WindowLayout
from .recording import VideoRecorder
from .view import View

MESSAGE_SECONDS = 4.0
POLL_SECONDS = 1 / 60  # between two polls of the window's events
BUSY_SECONDS = 0.4  # work that takes longer is announced in the picture
BUSY_FRAME_SECONDS = 0.1  # between two frames during such work
MAX_SIZE = (960, 720)  # largest size of a maze in pixels, if the desktop is large enough
MIN_SIZE = (560, 320)  # for the strip and the help
FILM_OVERLAY_SECONDS = 0.5  # of a film without a window, between two updates of its overlays
LEAST_SIZE = (300, 100)  # in a window that was made small, whose frame is then reduced

Result = TypeVar("Result")

SLOW_OVERLAYS = tuple(name for name in OVERLAYS if name not in (*SWITCHES, "belief"))
"""Overlays of which most cells may change in each step. The predicted walls change where the agent
is, and the dark must open there at once."""

NUMBER_KEYS = {str(number): name for number, name in enumerate(OVERLAYS, 1)}
"""Number key -> overlay that it shows or hides."""

_KEY_TITLES = (*((key, overlay_title(name)) for key, name in NUMBER_KEYS.items()), ("0", "none"))

OVERLAY_KEYS = ",\n".join(
    ",  ".join(f"{key}: {title}" for key, title in _KEY_TITLES[begin : begin + 5])
    for begin in range(0, len(_KEY_TITLES), 5)
)
"""The keys of the overlays, as the commands print them."""

HELP_KEYS = ("h", "f1", "?")
SCREENSHOT_KEYS = ("p", "f12")
FULLSCREEN_KEY = "f11"

SHARED_LINES = (
    ("V", "video on or off"),
    ("P or F12", "save a picture"),
    ("F11", "full screen"),
    ("H or F1", "this help"),
)
MOUSE_KEYS = "click or drag: walls;  right click: goal;  shift+click: start"
SHARED_KEYS = "V: video;  P: picture;  F11: full screen;  H: help"
"""The clicks and the shared keys, as the commands print them."""

MOUSE_LINES = (
    ("", "mouse"),
    ("click, drag", "build or open walls"),
    ("right click", "move the goal"),
    ("shift+click", "move the start"),
)


OVERLAY_LINES = (("", "overlays"), *_KEY_TITLES)


class Arrangement(Protocol):
    """Arrangement of the pictures of several views in one."""

    def room(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the largest (width, height) of each picture if all must fit a size."""

    def compose(self, pictures: Sequence[Frame], *, still: bool = False) -> Frame:
        """Return one picture, (height, width, 3); what changes slowly may be left as it was."""


class ViewerWindow(AbstractContextManager["ViewerWindow"]):
    """Window on an environment, or on several side by side, with a status strip below.

    Args:
        views: of the environments. The mouse edits the maze of a single one.
        display: window on the screen; None without a display, for videos only.
        arrangement: of the pictures of several views.
        help_lines: content of the help; empty for none.
        min_size: smallest (width, height) above the strip, in pixels.
        clock: returns seconds.

    Attributes:
        views: see above.
        display: see above.
        shown: names of the overlays that are shown, where they are available.
        recorder: records videos and screenshots of it.
    """

    def __init__(
        self,
        *views: View,
        display: RenderWindow | None,
        arrangement: Arrangement | None = None,
        help_lines: Sequence[HelpLine] = (),
        min_size: tuple[int, int] = MIN_SIZE,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.views, self.display, self.clock = views, display, clock
        self.shown = set(SWITCHES)
        self.recorder = VideoRecorder()
        self._arrangement, self._layout = arrangement, WindowLayout(min_size)
        self._help_lines, self._help_open = help_lines, False
        edited = views[0].maze if len(views) == 1 else None
        self._editor = None if edited is None else MazeEditor(edited)
        self._message, self._message_until = "", 0.0
        self._frame: Frame | None = None  # the latest
        self._picture: Frame = BLANK_FRAME  # of the environment, in the latest frame
        self._status = Status(())  # of the latest frame
        self._room: tuple[int, int] | None = None  # size that the user gave the window
        self._deferred: list[Any] = []  # mouse events that arrived while the agent was busy
        self._stale = True
        self._overlays_at = -math.inf  # video time of the latest update of the slow overlays
        self._worker: ThreadPoolExecutor | None = None

    # -- drawing -------------------------------------------------------------------------------

    @property
    def stale(self) -> bool:
        """True if the frame on the screen is out of date."""
        expired = bool(self._message) and self.clock() >= self._message_until
        return self._stale or expired or self._resized_to() != self._room

    def invalidate(self) -> None:
        """Mark the frame on the screen as out of date."""
        self._stale = True

    def set_status(self, message: str) -> None:
        """Show a message in the strip for `MESSAGE_SECONDS`."""
        self._message, self._message_until = message, self.clock() + MESSAGE_SECONDS
        self._stale = True

    def refresh(
        self, fields: Sequence[tuple[str, str]], note: str, now: float | None = None
    ) -> None:
        """Draw a new frame on the screen and into the video.

        Args:
            fields: pairs (label, value) of the strip.
            note: second line of the strip, unless there is a message.
            now: time of the video in seconds; None for the clock's.
        """
        frame = self.compose_frame(fields, note, still=self._still_overlays(now))
        self._stale = False
        if self.display is not None:
            self.display.show(frame)
        if problem := self.recorder.show(frame, self.clock() if now is None else now):
            self.set_status(problem)

    def _still_overlays(self, now: float | None) -> tuple[str, ...]:
        """Return the overlays that a film does not update now.

        Colors that change 30 times a second are not read, and would be most of the file.
        """
        if self.display is not None or now is None:
            return ()
        if now - self._overlays_at < FILM_OVERLAY_SECONDS:
            return SLOW_OVERLAYS
        self._overlays_at = now
        return ()

    def compose_frame(
        self, fields: Sequence[tuple[str, str]], note: str, *, still: Sequence[str] = ()
    ) -> Frame:
        """Return the frame that `refresh` draws, (height, width, 3).

        Args:
            fields: as of `refresh`.
            note: as of `refresh`.
            still: names of overlays that stay as they are.
        """
        if self._message and self.clock() >= self._message_until:
            self._message = ""
        self._follow_window()
        for view in self.views:
            view.update_overlays(self.shown, still=still)
        aside = "H: keys" if self._help_lines and self.display is not None else ""
        self._status = Status(
            fields,
            self._message or note,
            aside,
            # A film without a window is recorded all the time.
            self.recorder.video is not None and self.display is not None,
            ", ".join(map(overlay_title, self._drawn_overlays())),
            self.views[0].value_range if len(self.views) == 1 else None,
        )
        self._picture = self._paint_views(still=bool(still))
        self._frame = self._compose()
        return self._frame

    def show_start(self, fields: Sequence[tuple[str, str]], note: str) -> None:
        """Open the window before the first step, without reading the agent."""
        if self.display is None:
            return
        self._status = Status(fields, note)
        if all(view.maze is not None for view in self.views):
            self._picture = self._paint_views()
        self.display.show(self._compose())

    def answer_during(
        self, work: Callable[[], Result], poll: Callable[[], Sequence[tuple[str, str]]]
    ) -> Result:
        """Do work in another thread, so that the window answers while it takes seconds.

        Args:
            work: may change the agent and the environment. They are not read until it ends; the
                other thread is idle then.
            poll: called `1 / POLL_SECONDS` times a second meanwhile, to process the user's input;
                returns the pairs (label, value) of the strip.

        Returns:
            The result of the work.
        """
        if self._worker is None:
            self._worker = ThreadPoolExecutor(1, "viewer")
        with watch_compiler() as is_compiling:
            job = self._worker.submit(work)
            began = drawn = time.monotonic()
            while not wait([job], timeout=POLL_SECONDS).done:
                fields, now = poll(), time.monotonic()
                if now - began >= BUSY_SECONDS and now - drawn >= BUSY_FRAME_SECONDS:
                    self._show_busy(fields, "compiling (once)" if is_compiling() else "computing")
                    drawn = now
        return job.result()

    def _show_busy(self, fields: Sequence[tuple[str, str]], banner: str) -> None:
        """Show the latest picture, of before the work began, under a message."""
        if self.display is not None:
            note = self._message or self._status.note
            self._status = self._status._replace(fields=fields, note=note)
            self.display.show(self._compose(banner))
            self._stale = True

    def _paint_views(self, *, still: bool = False) -> Frame:
        pictures = [view.render() for view in self.views]
        if self._arrangement is None:
            return pictures[0]
        return self._arrangement.compose(pictures, still=still)

    def _compose(self, banner: str = "") -> Frame:
        lines = self._help_lines if self._help_open else ()
        room = None
        if self._room is not None:
            room = self._room[0], self._room[1] - STRIP_HEIGHT
            room = max(room[0], LEAST_SIZE[0]), max(room[1], LEAST_SIZE[1])
        return self._layout.compose(self._picture, self._status, lines, banner=banner, room=room)

    def _resized_to(self) -> tuple[int, int] | None:
        """Return the size that the user gave the window; None for its first size."""
        if self.display is None or self.recorder.video is not None:
            return self._room  # all frames of a video have one size
        return self.display.resized_to

    def _follow_window(self) -> None:
        """Take the size of the window, if the user has resized it."""
        room = self._resized_to()
        if room != self._room:
            self._room = room
            size = None
            if room is not None:
                least_width, least_height = LEAST_SIZE
                size = max(room[0], least_width), max(room[1] - STRIP_HEIGHT, least_height)
                size = size if self._arrangement is None else self._arrangement.room(size)
            for view in self.views:
                view.camera.resize(size)

    def _drawn_overlays(self) -> list[str]:
        """Return the names of the overlays that are drawn, but not of parts of the maze."""
        drawn = {name for view in self.views for name in view.drawn_overlays}
        return [name for name in OVERLAYS if name in drawn]

    def _unavailable(self, name: str) -> str:
        """Return the reason why no view has an overlay; "" if one has."""
        reasons = [view.overlay_source.unavailable(name) for view in self.views]
        return "; ".join(dict.fromkeys(reasons)) if all(reasons) else ""

    # -- overlays ------------------------------------------------------------------------------

    def show_overlays(self, names: Iterable[str]) -> None:
        """Show overlays.

        Args:
            names: names or titles of overlays, such as "q" or "action-values".

        Raises:
            ValueError: unknown overlay, or one that is not available here.
        """
        for given in names:
            name = find_overlay(given)
            if reason := self._unavailable(name):
                raise ValueError(f"overlay {given!r}: {reason}")
            self.shown.add(name)

    def toggle(self, name: str) -> None:
        """Show or hide an overlay, or report why it is not available."""
        if name in self.shown:
            self.shown.remove(name)
            self.set_status(f"{overlay_title(name)}: off")
        elif reason := self._unavailable(name):
            self.set_status(reason)
        else:
            self.shown.add(name)
            self.set_status(OVERLAYS[name])

    # -- keys and clicks -----------------------------------------------------------------------

    def process_events(self, *, busy: bool = False) -> list[str]:
        """Handle mouse events and the keys that all commands share.

        Args:
            busy: the environment may change in another thread: mouse events are kept for the next
                call.

        Returns:
            The other keys, oldest first.
        """
        if self.display is None:
            return []
        events = self.display.events()
        keys = [key for event in events if (key := pressed_key(event)) is not None]
        self._deferred += events
        if not busy:
            for event in self._deferred:
                self._process_mouse(event)
            self._deferred.clear()
        return [key for key in keys if not self.handle_key(key)]

    @property
    def closed(self) -> bool:
        """True if the user has closed the window."""
        return self.display is not None and self.display.closed_by_user

    def handle_key(self, key: str) -> bool:
        """Handle a shared key; return False for any other."""
        if key in HELP_KEYS or (key == "escape" and self._help_open):
            self._help_open = not self._help_open
            self.invalidate()
        elif key in NUMBER_KEYS:
            self.toggle(NUMBER_KEYS[key])
        elif key == "0":
            self.shown.clear()
            self.set_status("no overlays")
        elif key == "v":
            self.set_status(self.recorder.toggle())
        elif key in SCREENSHOT_KEYS and self._frame is not None:
            self.set_status(self.recorder.save_screenshot(self._frame))
        elif key == FULLSCREEN_KEY and self.display is not None:
            self.display.toggle_fullscreen()
        else:
            return False
        return True

    def _process_mouse(self, event: Any) -> None:
        """Pass a mouse event to the editor."""
        import pygame

        if self._editor is None:
            pass
        elif event.type == pygame.MOUSEBUTTONDOWN:
            shift = bool(pygame.key.get_mods() & pygame.KMOD_SHIFT)
            cell = self._cell_at(event.pos)
            if cell is not None:
                self._edited(self._editor.click(cell, event.button, shift=shift))
        elif event.type == pygame.MOUSEMOTION and event.buttons[0]:
            cell = self._cell_at(event.pos)
            if cell is not None:
                self._edited(self._editor.drag(cell))
        elif event.type == pygame.MOUSEBUTTONUP:
            self._editor.release()

    def _cell_at(self, position: tuple[int, int]) -> Cell | None:
        """Return the cell at a position in the window; None beside the maze and under the help."""
        if self.display is None or self._help_open:
            return None
        x, y = self.display.position_in_frame(position)
        x, y = x - self._layout.origin[0], y - self._layout.origin[1]
        return self.views[0].camera.cell_at(x, y)

    def _edited(self, message: str) -> None:
        """Report an edit, and show the present state instead of an earlier snapshot."""
        if message:
            self.views[0].snapshot = None
            self.set_status(message)

    def hide(self) -> None:
        """Close the window on the screen, but not yet the video."""
        if self.display is not None:
            self.display.close()
            self.display.closed_by_user = True

    def close(self) -> None:
        """Complete the video and close the window."""
        try:
            self.recorder.stop()
        finally:
            if self.display is not None:
                self.display.close()
            if self._worker is not None:
                self._worker.shutdown()
                self._worker = None

    def __exit__(self, *_error: object) -> None:
        self.close()


def open_window(title: str) -> RenderWindow:
    """Return a window without a frame rate of its own: the session sets the pace."""
    return RenderWindow(title, fps=0)


def max_size_on_desktop() -> tuple[int, int]:
    """Return the largest size (width, height) of a maze whose window fits the desktop.

    Raises:
        ImportError: pygame-ce is missing or broken.
        RuntimeError: there is no display.
    """
    require_display("without one, only videos can be made")
    room = desktop_room()
    if room is None:
        return MAX_SIZE
    width, height = min(MAX_SIZE[0], room[0]), min(MAX_SIZE[1], room[1] - STRIP_HEIGHT)
    return max(width, MIN_SIZE[0]), max(height, MIN_SIZE[1])
