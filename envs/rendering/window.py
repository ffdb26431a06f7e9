"""Window that shows frames on the screen, by pygame-ce, which is imported when a window opens.

Windows are independent of each other and of the caller's own use of pygame. Each is a separate
`pygame.Window`. Only a window's own events are taken from pygame's queue; all others stay there in
their order. pygame is never shut down here. If another library does so (closing Gymnasium's
FrozenLake calls `pygame.quit()`), the next `show` opens the window again. Without a display SDL
falls back to its "offscreen" driver.

A lock makes windows usable from several threads, on systems that let other threads than the main
one draw (SDL's X11 driver does, macOS does not).
"""

from __future__ import annotations

import math
import os
import sys
import tempfile
import threading
import time
import weakref
from contextlib import suppress
from functools import cache
from itertools import count
from typing import Any

from dynamaze.common.palette import Color

from .frame import default_cell_size, fitting_cell_size
from .scene import Frame, check_frame

Size = tuple[int, int]  # (width, height)

MAGNIFIED_SIDE = 640  # pixels: smaller frames are magnified by an integer up to this size
LARGEST_CELL = 128  # pixels a side, in a large window; larger cells are magnified
DESKTOP_BORDER = (16, 90)  # pixels that a desktop needs besides a window's content
BACKGROUND: Color = (24, 27, 37)  # beside a frame that does not fill its window
INVISIBLE_DRIVERS = ("offscreen", "dummy")
LINUX_DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR", "SDL_VIDEODRIVER")
"""Environment variables without all of which there is no display on Linux."""

LONGEST_QUEUE = 1024  # a window's keyboard and mouse events that are left in pygame's queue

MISSING = "pygame is needed to open a window: pip install pygame-ce"
MIXED_UP = (
    "the installed pygame is not pygame-ce, or lacks half of its files: the two share one folder "
    "and break each other. Run: pip uninstall -y pygame pygame-ce, and then: "
    "pip install --force-reinstall --no-deps pygame-ce"
)

_open_windows: weakref.WeakSet[RenderWindow] = weakref.WeakSet()
_lock = threading.RLock()
_quit_registered: list[bool] = []  # not empty while pygame knows `_destroy_all`


class RenderWindow:
    """Resizable window that shows frames.

    A frame is magnified by an integer, or made smaller, to fit the window, and keeps its aspect
    ratio. Keyboard and mouse events of the window stay in pygame's queue unless `events` is called.

    Attributes:
        fps: frames per second, at most; 0 or less is unlimited.
        closed_by_user: True after the user closed the window, until `close` is called.
        scale: magnification of the frame shown last.
    """

    def __init__(self, title: str, *, fps: float) -> None:
        self.fps = fps
        self.closed_by_user = False
        self.scale = 1.0
        self._title = title
        self._image: Any = None  # pygame.Surface of the latest frame
        self._size = (0, 0)  # given to the window when it was opened, in screen coordinates
        self._origin = (0, 0)  # of the frame in the window, in pixels
        self._density = 1.0  # pixels of the window per unit of screen coordinates
        self._handle: Any = None  # pygame.Window, None while none is open
        self._hidden = False  # minimised: there is nothing to draw on
        self._fullscreen = False
        self._old_quits: list[Any] = []  # contents of QUIT events from before the window opened
        self._due = 0.0  # earliest time of the next frame, by time.perf_counter

    def show(self, frame: Frame, *, title: str | None = None) -> None:
        """Show a frame, after waiting for the frame rate `fps`.

        Opens the window if there is none. Unless the user has resized the window, it takes the size
        of the frame. Does nothing after the user has closed the window.

        Args:
            frame: (height, width, 3), uint8.
            title: new title; None keeps the present one.

        Raises:
            ValueError: wrong shape or dtype of the frame.
            ImportError: pygame-ce is missing or broken.
            RuntimeError: there is no display to open a window on.
        """
        check_frame(frame)
        with _lock:
            _take_events()
            if self.closed_by_user:
                return
        self._wait()
        with _lock:
            # Again: of what came meanwhile a caller that empties the queue would take our part.
            _take_events()
            if not self.closed_by_user:
                self._title = self._title if title is None else title
                self._draw(frame)

    @property
    def title(self) -> str:
        """Title of the window, settable at any time."""
        return self._title

    @title.setter
    def title(self, title: str) -> None:
        if title != self._title:
            self._title = title
            with _lock:
                self._write_title()

    @property
    def resized_to(self) -> Size | None:
        """Size (width, height) in pixels that the user gave the window; None if it is as opened."""
        with _lock:
            if self._handle is None:
                return None
            import pygame

            with suppress(pygame.error):  # another library shut the display down
                if tuple(self._handle.size) != self._size:
                    return self._handle.get_surface().get_size()  # type: ignore[no-any-return]
            return None

    def events(self) -> list[Any]:
        """Take this window's keyboard and mouse events from pygame's queue, oldest first.

        `position_in_frame` converts the positions of mouse events. A QUIT event that arrived after
        the window opened closes the window, and stays in the queue.
        """
        with _lock:
            inputs = _take_events(reader=self)
            return [event for event in inputs if event.type in _input_types()]

    def position_in_frame(self, position: tuple[float, float]) -> tuple[int, int]:
        """Convert a mouse position (x, y) to a pixel of the frame shown last.

        It is outside the frame where the mouse is beside it.
        """
        x, y = (
            math.floor((at * self._density - begin) / self.scale)
            for at, begin in zip(position, self._origin, strict=True)
        )
        return x, y

    def toggle_fullscreen(self) -> None:
        """Fill the screen, or return to a window."""
        with _lock:
            if self._handle is None:
                return
            import pygame

            with suppress(pygame.error):  # another library shut the display down
                if self._fullscreen:
                    self._handle.set_windowed()
                else:
                    self._handle.set_fullscreen(True)
                self._fullscreen = not self._fullscreen
                self._present()

    def close(self) -> None:
        """Close the window, if it is open; a later `show` opens a new one."""
        with _lock:
            _take_events(reader=self)  # pending events of this window must not remain
            self._destroy()
            self.closed_by_user = False

    def _draw(self, frame: Frame) -> None:
        """Draw the frame; open a window if there is none, or none of its size."""
        require_pygame()
        import pygame

        height, width = frame.shape[:2]
        self._image = pygame.image.frombuffer(frame.tobytes(), (width, height), "RGB")
        times = max(1, MAGNIFIED_SIDE // max(height, width))
        size = width * times, height * times
        if (size != self._size and self.resized_to is None) or not self._present():
            self._destroy()
            self._open(size)
            self._present()

    def _present(self) -> bool:
        """Draw the latest frame in the middle of the window; return False if there is no window."""
        if self._handle is None:
            return False
        if self._image is None or self._hidden:
            return True
        import pygame

        try:
            surface = self._handle.get_surface()
            room = surface.get_size()
            self.scale, size, self._origin = fit(self._image.get_size(), room)
            if size != room:
                surface.fill(BACKGROUND)
            surface.blit(_scaled(self._image, size, self.scale), self._origin)
            self._density = room[0] / max(1, self._handle.size[0])
            self._write_title()
            self._handle.flip()
        except pygame.error:  # another library shut the display down
            return False
        return True

    def _write_title(self) -> None:
        """Update the title of the open window, which another library may have shut down."""
        if self._handle is None:
            return
        import pygame

        with suppress(pygame.error):
            if self._handle.title != self._title:
                self._handle.title = self._title

    def _open(self, size: Size) -> None:
        """Open a window of this size, or smaller where the desktop is."""
        import pygame

        try:
            init_display()
            room = desktop_room()
            opened = (
                size
                if room is None
                else fit(size, (min(size[0], room[0]), min(size[1], room[1])))[1]
            )
            self._handle = pygame.Window(self._title, opened, resizable=True, allow_high_dpi=True)
        except pygame.error as error:
            raise RuntimeError(
                f"no window can be opened: {error}; without a display, make the environment with "
                'render_mode="rgb_array"'
            ) from error
        _register_quit()
        self._size, self._hidden, self._fullscreen = size, False, False
        self._old_quits = _queued_quits()
        _open_windows.add(self)

    def _destroy(self) -> None:
        """Destroy the window, also if pygame was shut down before."""
        _open_windows.discard(self)
        if self._handle is None:
            return
        import pygame

        self._handle.destroy()
        self._handle = None
        if pygame.display.get_init():
            pygame.event.pump()  # some systems remove the window only now

    def _close_by_user(self) -> None:
        self._destroy()
        self.closed_by_user = True

    def _handle_event(self, event: Any) -> None:
        """Handle an event that concerns the window itself."""
        import pygame

        if event.window is not self._handle:  # closed by an event before
            return
        if event.type == pygame.WINDOWCLOSE:
            self._close_by_user()
        elif event.type in (pygame.WINDOWMINIMIZED, pygame.WINDOWHIDDEN):
            self._hidden = True
        elif event.type in _redraw_types():
            self._hidden = False
            self._present()

    def _wait(self) -> None:
        """Sleep until the next frame is due; the time spent by the caller counts."""
        if self.fps > 0:
            time.sleep(max(0.0, self._due - time.perf_counter()))
            self._due = time.perf_counter() + 1.0 / self.fps


def cell_size_on_screen(rows: int, cols: int, room: Size | None) -> int:
    """Return the cell size, in pixels, of a maze in a window.

    Args:
        rows: rows of the maze.
        cols: columns of the maze.
        room: size (width, height) that the user gave the window; None for its first size.
    """
    if room is not None:
        return fitting_cell_size(rows, cols, room, largest=LARGEST_CELL)
    side = (MAGNIFIED_SIDE, MAGNIFIED_SIDE)
    return max(default_cell_size(rows, cols), fitting_cell_size(rows, cols, side, largest=64))


def numbered_title(name: str) -> str:
    """Return the name with the smallest number that no open window's title has: "maze (2)"."""
    with _lock:
        taken = {window.title for window in _open_windows}
    titles = (f"{name} ({number})" for number in count(1))
    return next(title for title in titles if title not in taken)


def fit(frame: Size, room: Size) -> tuple[float, Size, tuple[int, int]]:
    """Fit a frame into a window with its aspect ratio.

    Args:
        frame: size of the frame, (width, height).
        room: size of the window.

    Returns:
        The scale, which is an integer if it is at least 1 so that all pixels are equally large; the
        size on the screen; and the position (x, y) of the frame's top left corner in the window.
    """
    scale = min(room[0] / frame[0], room[1] / frame[1])
    scale = math.floor(scale) if scale >= 1 else scale
    width, height = (max(1, round(side * scale)) for side in frame)
    return scale, (width, height), ((room[0] - width) // 2, (room[1] - height) // 2)


def desktop_room() -> Size | None:
    """Return the largest size (width, height) of a window that fits the desktop.

    None if it is unknown, or windows are invisible.
    """
    import pygame

    if pygame.display.get_driver() in INVISIBLE_DRIVERS:
        return None
    sizes = pygame.display.get_desktop_sizes()
    width, height = sizes[0] if sizes else (0, 0)
    beside, above = DESKTOP_BORDER
    return (width - beside, height - above) if width > beside and height > above else None


def _scaled(image: Any, size: Size, scale: float) -> Any:
    import pygame

    if scale >= 1:
        return image if scale == 1 else pygame.transform.scale(image, size)
    return pygame.transform.smoothscale(image, size)


def init_display() -> None:
    """Initialise pygame's display.

    Raises:
        pygame.error: SDL has no driver.
    """
    import pygame

    # Without this variable libwayland prints an error on stderr, also where X11 serves the display.
    missing = "XDG_RUNTIME_DIR" not in os.environ
    if missing:
        os.environ["XDG_RUNTIME_DIR"] = tempfile.gettempdir()
    try:
        pygame.display.init()
    finally:
        if missing:
            os.environ.pop("XDG_RUNTIME_DIR", None)


def require_display(instead: str) -> None:
    """Check that a window would be visible.

    Args:
        instead: what to do without a display, for the message.

    Raises:
        ImportError: pygame-ce is missing or broken.
        RuntimeError: there is no display, so that SDL would draw offscreen, unless that is
            requested by the environment variable SDL_VIDEODRIVER.
    """
    require_pygame()
    import pygame

    missing = f"there is no display to open a window on; {instead}"
    # Asked first: without all of these a library of Wayland complains on stderr.
    if sys.platform.startswith("linux") and not any(map(os.environ.get, LINUX_DISPLAYS)):
        raise RuntimeError(missing)
    try:
        init_display()
    except pygame.error as error:
        raise RuntimeError(f"no window can be opened: {error}; {instead}") from error
    if "SDL_VIDEODRIVER" not in os.environ and pygame.display.get_driver() in INVISIBLE_DRIVERS:
        raise RuntimeError(missing)


def pressed_key(event: Any) -> str | None:
    """Return the name of the key that an event presses, or None.

    Args:
        event: one of `RenderWindow.events`.

    Returns:
        The character typed, in lower case ("a", "+"), or else pygame's name of the key ("space",
        "right", "escape").
    """
    import pygame

    if event.type != pygame.KEYDOWN:
        return None
    typed: str = getattr(event, "unicode", "").lower()
    return typed if typed.strip() and typed.isprintable() else pygame.key.name(event.key)


@cache
def _input_types() -> tuple[int, ...]:
    import pygame

    return (
        pygame.KEYDOWN,
        pygame.KEYUP,
        pygame.MOUSEBUTTONDOWN,
        pygame.MOUSEBUTTONUP,
        pygame.MOUSEMOTION,
        pygame.MOUSEWHEEL,
    )


@cache
def _window_types() -> tuple[int, ...]:
    """Return the types of events that concern a window itself."""
    import pygame

    return tuple(
        value
        for name, value in vars(pygame).items()
        if name.startswith("WINDOW") and not name.startswith("WINDOWPOS")
    )


@cache
def _redraw_types() -> tuple[int, ...]:
    """Return the types of events after which the window has to be drawn again."""
    import pygame

    return (
        pygame.WINDOWEXPOSED,
        pygame.WINDOWSHOWN,
        pygame.WINDOWRESTORED,
        pygame.WINDOWMAXIMIZED,
        pygame.WINDOWSIZECHANGED,
    )


def _take_events(reader: RenderWindow | None = None) -> list[Any]:
    """Take the events of our windows from pygame's queue; all others stay, in their order.

    Args:
        reader: window whose other events, such as of its keyboard and mouse, are taken, too.

    Returns:
        The events of the reader, oldest first.
    """
    if not _open_windows:
        return []
    import pygame

    if not pygame.display.get_init():
        return []
    owners = {id(window._handle): window for window in _open_windows}
    concerning, read, left = [], [], []
    # All are taken: pygame finds no window's events by their types.
    for event in pygame.event.get():
        owner = owners.get(id(getattr(event, "window", None)))
        if owner is not None and event.type in _window_types():
            concerning.append((owner, event))
        elif owner is not None and owner is reader:
            read.append(event)
        else:
            left.append(event)
    own = [event for event in left if id(getattr(event, "window", None)) in owners]
    forgotten = {id(event) for event in own[:-LONGEST_QUEUE]}
    for event in left:
        if id(event) not in forgotten:
            pygame.event.post(event)
    for owner, event in concerning:  # after the others are back: closing a window adds events
        owner._handle_event(event)
    if reader is not None:
        quits = (event.dict for event in left if event.type == pygame.QUIT)
        if any(all(quit is not old for old in reader._old_quits) for quit in quits):
            reader._close_by_user()
    return read


def _queued_quits() -> list[Any]:
    """Return the contents of the QUIT events in pygame's queue, which stay there."""
    import pygame

    if not pygame.event.peek(pygame.QUIT):
        return []
    events = pygame.event.get(pump=False)
    for event in events:
        pygame.event.post(event)
    return [event.dict for event in events if event.type == pygame.QUIT]


def _register_quit() -> None:
    """Let pygame call `_destroy_all` when it is shut down, once."""
    import pygame

    if not _quit_registered:
        pygame.register_quit(_destroy_all)
        _quit_registered.append(True)


def _destroy_all() -> None:
    """Destroy every window when pygame is shut down."""
    _quit_registered.clear()  # pygame forgets its functions then
    for window in list(_open_windows):
        window._destroy()


def require_pygame() -> None:
    """Check that `import pygame` gives pygame-ce.

    Raises:
        ImportError: it is missing, or another pygame is installed, or the empty folder that
            remains when one of two installed pygames is uninstalled.
    """
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")  # stdout is the caller's
    # Without this SDL turns SIGTERM into an event, and the process could not be terminated.
    os.environ.setdefault("SDL_NO_SIGNAL_HANDLERS", "1")
    try:
        import pygame
    except ModuleNotFoundError as error:
        if error.name != "pygame":
            raise
        raise ImportError(MISSING) from error
    if not getattr(pygame, "IS_CE", False):
        raise ImportError(MIXED_UP)
