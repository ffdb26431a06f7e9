"""Window that shows frames on the screen, by pygame-ce, which is imported when a window opens.

Windows are independent of each other: each is a separate `pygame.Window`, and pygame is never shut
down here. If another library does so (closing Gymnasium's FrozenLake calls `pygame.quit()`), the
next `show` opens the window again. Without a display SDL falls back to its "offscreen" driver.
"""

from __future__ import annotations

import contextlib
import os
import time
import weakref
from collections import deque
from typing import Any

from .scene import Frame, check_frame

MAGNIFIED_SIDE = 640  # pixels: smaller frames are magnified by an integer up to this size
INVISIBLE_DRIVERS = ("offscreen", "dummy")
LONGEST_QUEUE = 1024  # input events kept until `events` is called

MISSING = "pygame is needed to open a window: pip install pygame-ce"
MIXED_UP = (
    "the installed pygame is not pygame-ce, or lacks half of its files: the two share one folder "
    "and break each other. Run: pip uninstall -y pygame pygame-ce, and then: "
    "pip install --force-reinstall --no-deps pygame-ce"
)

_open_windows: weakref.WeakSet[RenderWindow] = weakref.WeakSet()


class RenderWindow:
    """Window that shows frames and collects its own keyboard and mouse events.

    Attributes:
        fps: frames per second, at most; 0 or less is unlimited.
        closed_by_user: True after the user closed the window, until `close` is called.
        scale: magnification of the frame shown last.
    """

    def __init__(self, title: str, *, fps: float) -> None:
        self.fps = fps
        self.closed_by_user = False
        self.scale = 1
        self._title = title
        self._size = (0, 0)  # (width, height) in screen pixels
        self._handle: Any = None  # pygame.Window, None while none is open
        self._inputs: deque[Any] = deque(maxlen=LONGEST_QUEUE)
        self._due = 0.0  # earliest time of the next frame, by time.perf_counter

    def show(self, frame: Frame, *, title: str | None = None) -> None:
        """Show a frame, after waiting for the frame rate `fps`.

        Opens the window if there is none or the frame has a new size. Does nothing after the user
        has closed the window.

        Args:
            frame: (height, width, 3), uint8.
            title: new title; None keeps the present one.

        Raises:
            ValueError: wrong shape or dtype of the frame.
            ImportError: pygame-ce is missing or broken.
            RuntimeError: there is no display to open a window on.
        """
        check_frame(frame)
        _dispatch_events()
        if self.closed_by_user:
            return
        self._title = self._title if title is None else title
        self._wait()
        self._draw(frame)

    @property
    def title(self) -> str:
        """Title of the window, settable at any time."""
        return self._title

    @title.setter
    def title(self, title: str) -> None:
        if title != self._title:
            self._title = title
            self._write_title()

    def events(self) -> list[Any]:
        """Return this window's keyboard and mouse events since the last call, oldest first.

        Mouse positions are in screen pixels; divided by `scale` they are pixels of the frame.
        """
        _dispatch_events()
        inputs = list(self._inputs)
        self._inputs.clear()
        return inputs

    def close(self) -> None:
        """Close the window, if it is open; a later `show` opens a new one."""
        _dispatch_events()  # pending events of this window must not reach the next one
        self._destroy()
        self._inputs.clear()
        self.closed_by_user = False

    def _draw(self, frame: Frame) -> None:
        """Draw the frame in a window of its size."""
        height, width = frame.shape[:2]
        self.scale = max(1, MAGNIFIED_SIDE // max(height, width))
        size = (width * self.scale, height * self.scale)
        if size != self._size or not self._blit(frame):
            self._destroy()
            self._open(size)
            self._blit(frame)

    def _blit(self, frame: Frame) -> bool:
        """Draw the frame into the window; return False if there is no window."""
        if self._handle is None:
            return False
        import pygame

        height, width = frame.shape[:2]
        image = pygame.image.frombuffer(frame.tobytes(), (width, height), "RGB")
        try:
            surface = self._handle.get_surface()
            surface.blit(pygame.transform.scale_by(image, self.scale), (0, 0))
            self._handle.title = self._title
            self._handle.flip()
        except pygame.error:  # another library shut the display down
            return False
        return True

    def _write_title(self) -> None:
        """Update the title of the open window, which another library may have shut down."""
        if self._handle is None:
            return
        import pygame

        with contextlib.suppress(pygame.error):
            self._handle.title = self._title

    def _open(self, size: tuple[int, int]) -> None:
        """Open the window, with size (width, height) in screen pixels."""
        require_pygame()
        import pygame

        try:
            pygame.display.init()
            self._handle = pygame.Window(self._title, size)
        except pygame.error as error:
            raise RuntimeError(
                f"no window can be opened: {error}; without a display, make the environment with "
                'render_mode="rgb_array"'
            ) from error
        pygame.register_quit(_destroy_all)
        self._size = size
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

    def _handle_event(self, event: Any) -> None:
        """Handle an event of the queue, if it is for this window."""
        import pygame

        mine = getattr(event, "window", None) is self._handle
        if event.type == pygame.QUIT or (mine and event.type == pygame.WINDOWCLOSE):
            self._destroy()
            self.closed_by_user = True
        elif mine and event.type == pygame.WINDOWEXPOSED and self._handle is not None:
            self._handle.flip()  # redraw what another window had covered
        elif mine and event.type in _input_types():
            self._inputs.append(event)

    def _wait(self) -> None:
        """Sleep until the next frame is due; the time spent by the caller counts."""
        if self.fps > 0:
            time.sleep(max(0.0, self._due - time.perf_counter()))
            self._due = time.perf_counter() + 1.0 / self.fps


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

    try:
        pygame.display.init()
    except pygame.error as error:
        raise RuntimeError(f"no window can be opened: {error}; {instead}") from error
    if "SDL_VIDEODRIVER" not in os.environ and pygame.display.get_driver() in INVISIBLE_DRIVERS:
        raise RuntimeError(f"there is no display to open a window on; {instead}")


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


def _dispatch_events() -> None:
    """Distribute the events of pygame's only queue to the windows."""
    if not _open_windows:
        return
    import pygame

    if not pygame.display.get_init():
        return
    for event in pygame.event.get():
        for window in list(_open_windows):
            window._handle_event(event)


def _destroy_all() -> None:
    """Destroy every window when pygame is shut down."""
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
