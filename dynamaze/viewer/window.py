"""Window shared by `watch` and `play`: drawing, overlays, recording, common keys and clicks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import gymnasium as gym

from dynamaze.envs.base import MazeEnv
from dynamaze.envs.mazes.layout import Cell
from dynamaze.envs.rendering.overlays import OVERLAYS, SWITCHES, Overlays
from dynamaze.envs.rendering.scene import Frame
from dynamaze.envs.rendering.window import RenderWindow, pressed_key, require_display

from .editor import MazeEditor
from .environment import Camera
from .layout import STRIP_HEIGHT, HelpLine, Status, WindowLayout
from .overlays import OverlaySource
from .recording import VideoRecorder

MESSAGE_SECONDS = 4.0
MAX_SIZE = (960, 720)  # largest size of a maze in pixels, if the desktop is large enough
MIN_SIZE = (560, 320)  # for the strip and the help
WINDOW_BORDER = (16, 90)  # pixels that a desktop needs besides a window's content

NUMBER_KEYS = {str(number): name for number, name in enumerate(OVERLAYS, 1)}
"""Number key -> overlay that it shows or hides."""

HELP_KEYS = ("h", "f1", "?")
SCREENSHOT_KEYS = ("p", "f12")

SHARED_LINES = (("V", "video on or off"), ("P or F12", "save a picture"), ("H or F1", "this help"))
SHARED_KEYS = (
    "click or drag: walls;  right click: goal;  shift+click: start\nV: video;  P: picture;  H: help"
)
"""The shared keys and clicks, as the commands print them."""

MOUSE_LINES = (
    ("", "mouse"),
    ("click, drag", "build or open walls"),
    ("right click", "move the goal"),
    ("shift+click", "move the start"),
)


def overlay_summary(name: str) -> str:
    """Return the short description of an overlay."""
    return OVERLAYS[name].partition(":")[0]


OVERLAY_LINES = (
    ("", "overlays"),
    *((key, overlay_summary(name)) for key, name in NUMBER_KEYS.items()),
    ("0", "none"),
)


class ViewerWindow(AbstractContextManager["ViewerWindow"]):
    """Window on one environment, with a status strip below the picture.

    Attributes:
        display: window on the screen; None without a display, for videos only.
        maze: the unwrapped environment if it is a maze; None otherwise.
        shown: names of the overlays that are shown.
        overlay_source: source of their arrays.
        snapshot: shown instead of the present state, such as the end of an episode; None for none.
        recorder: records videos and screenshots of it.
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        *,
        camera: Camera,
        display: RenderWindow | None,
        overlay_source: OverlaySource,
        help_lines: Sequence[HelpLine] = (),
        min_size: tuple[int, int] = MIN_SIZE,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.display, self.overlay_source, self.clock = display, overlay_source, clock
        self.maze = env.unwrapped if isinstance(env.unwrapped, MazeEnv) else None
        self.shown = set(SWITCHES)
        self.snapshot: Any = None
        self.recorder = VideoRecorder()
        self._camera, self._layout = camera, WindowLayout(min_size)
        self._help_lines, self._help_open = help_lines, False
        self._editor = None if self.maze is None else MazeEditor(self.maze)
        self._message, self._message_until = "", 0.0
        self._frame: Frame | None = None  # the latest
        self._stale = True

    # -- drawing -------------------------------------------------------------------------------

    @property
    def stale(self) -> bool:
        """True if the frame on the screen is out of date."""
        return self._stale or (bool(self._message) and self.clock() >= self._message_until)

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
        frame = self.compose_frame(fields, note)
        self._stale = False
        if self.display is not None:
            self.display.show(frame)
        if problem := self.recorder.show(frame, self.clock() if now is None else now):
            self.set_status(problem)

    def compose_frame(self, fields: Sequence[tuple[str, str]], note: str) -> Frame:
        """Return the frame that `refresh` draws, (height, width, 3)."""
        if self._message and self.clock() >= self._message_until:
            self._message = ""
        self._update_overlays()
        aside = "H: keys" if self._help_lines and self.display is not None else ""
        status = Status(fields, self._message or note, aside, self.recorder.video is not None)
        picture = self._camera.render(self.snapshot)
        self._frame = self._layout.compose(
            picture, status, self._help_lines if self._help_open else ()
        )
        return self._frame

    def _update_overlays(self) -> None:
        """Give the maze the present arrays of the shown overlays."""
        if self.maze is None:
            return
        # None removes the arrays of overlays that are no longer shown.
        given: dict[str, Any] = dict.fromkeys(set(OVERLAYS) - set(SWITCHES))
        given.update(self.overlay_source.arrays(self.shown))
        shape = self.maze.layout.rows, self.maze.layout.cols
        self.maze.overlays = self.maze.overlays.replace(shape, **given).only(self.shown)

    # -- overlays ------------------------------------------------------------------------------

    def show_overlays(self, names: Iterable[str]) -> None:
        """Show overlays.

        Raises:
            ValueError: unknown overlay, or one that is not available here.
        """
        for name in names:
            Overlays().only([name])  # raises for an unknown name
            if reason := self.overlay_source.unavailable(name):
                raise ValueError(f"overlay {name!r}: {reason}")
            self.shown.add(name)

    def toggle(self, name: str) -> None:
        """Show or hide an overlay, or report why it is not available."""
        if name in self.shown:
            self.shown.remove(name)
            self.set_status(f"{name}: off")
        elif reason := self.overlay_source.unavailable(name):
            self.set_status(reason)
        else:
            self.shown.add(name)
            self.set_status(f"{name}: {overlay_summary(name)}")

    # -- keys and clicks -----------------------------------------------------------------------

    def process_events(self) -> list[str]:
        """Handle mouse events and the keys that all commands share.

        Returns:
            The other keys, oldest first.
        """
        if self.display is None:
            return []
        events = self.display.events()
        keys = [key for event in events for key in self._process_event(event)]
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
        else:
            return False
        return True

    def _process_event(self, event: Any) -> list[str]:
        """Return the key of an event; mouse events go to the editor."""
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
        key = pressed_key(event)
        return [] if key is None else [key]

    def _cell_at(self, position: tuple[int, int]) -> Cell | None:
        """Return the cell at a position in the window; None beside the maze and under the help."""
        if self.display is None or self._help_open:
            return None
        x, y = (at // self.display.scale for at in position)
        return self._camera.cell_at(x - self._layout.origin[0], y - self._layout.origin[1])

    def _edited(self, message: str) -> None:
        """Report an edit, and show the present state instead of an earlier snapshot."""
        if message:
            self.snapshot = None
            self.set_status(message)

    def close(self) -> None:
        """Complete the video and close the window."""
        try:
            self.recorder.stop()
        finally:
            if self.display is not None:
                self.display.close()

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
    import pygame

    sizes = pygame.display.get_desktop_sizes()
    width, height = sizes[0] if sizes else (0, 0)
    beside, above = WINDOW_BORDER
    if width <= beside or height <= above:
        return MAX_SIZE
    room = min(MAX_SIZE[0], width - beside), min(MAX_SIZE[1], height - above - STRIP_HEIGHT)
    return max(room[0], MIN_SIZE[0]), max(room[1], MIN_SIZE[1])
