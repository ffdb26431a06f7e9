"""A window on the screen for the frames of one maze.

pygame-ce is imported when the first window opens. Windows are independent of each other: each is a
`pygame.Window` of its own, closing one leaves the others alone, and pygame is never shut down
here. Where another library does so (closing Gymnasium's FrozenLake calls `pygame.quit()`), the
next `show` opens the window again.

Without a display SDL falls back to its "offscreen" driver: all works, and nothing is seen.
"""

from __future__ import annotations

import contextlib
import os
import time
import weakref
from collections import deque
from typing import TYPE_CHECKING

from .pygame_ce import require_pygame
from .scene import Frame, check_frame

if TYPE_CHECKING:
    import pygame  # for the annotations only

COMFORTABLE = 640  # pixels a side: smaller frames are magnified by a whole number up to this
UNSEEN_DRIVERS = ("offscreen", "dummy")
LONGEST_QUEUE = 1024  # input events that are kept for a program that never asks for them

_open_windows: weakref.WeakSet[Window] = weakref.WeakSet()


class Window:
    """A window that shows frames and collects its own keys and clicks.

    Attributes:
        fps: frames a second that `show` keeps to; 0 or less is as fast as possible.
        closed_by_user: True from when the user closes the window until `close` is called.
        scale: screen pixels a side for each pixel of the frame shown last.
    """

    def __init__(self, title: str, *, fps: float) -> None:
        self.fps = fps
        self.closed_by_user = False
        self.scale = 1
        self._title = title
        self._size = (0, 0)  # (width, height) in screen pixels
        self._handle: pygame.Window | None = None
        self._inputs: deque[pygame.Event] = deque(maxlen=LONGEST_QUEUE)
        self._due = 0.0  # when the next frame may be shown, by time.perf_counter

    def show(self, frame: Frame, *, title: str | None = None) -> None:
        """Show a frame, after waiting until the last one has been seen as long as `fps` asks.

        Opens the window where there is none or the frame has a new size. Does nothing once the
        user has closed the window.

        Args:
            frame: (height, width, 3), uint8.
            title: the new title; None keeps the old one.

        Raises:
            ValueError: the frame has another shape or dtype.
            ImportError: pygame-ce is missing or broken.
            RuntimeError: there is no display to open a window on.
        """
        check_frame(frame)
        _hand_out_events()
        if self.closed_by_user:
            return
        self._title = self._title if title is None else title
        self._wait()
        self._draw(frame)

    @property
    def title(self) -> str:
        """What stands above the picture. May be set at any time."""
        return self._title

    @title.setter
    def title(self, title: str) -> None:
        if title != self._title:
            self._title = title
            self._write_title()

    def events(self) -> list[pygame.Event]:
        """Take this window's key and mouse events since the last call, oldest first.

        Mouse positions are in screen pixels; divided by `scale` they are pixels of the frame.
        """
        _hand_out_events()
        inputs = list(self._inputs)
        self._inputs.clear()
        return inputs

    def close(self) -> None:
        """Close the window, if it is open; a later `show` opens a fresh one."""
        _hand_out_events()  # what was meant for this window must not reach the next one
        self._vanish()
        self._inputs.clear()
        self.closed_by_user = False

    def _draw(self, frame: Frame) -> None:
        """Put the frame on the screen, in a window of the right size."""
        height, width = frame.shape[:2]
        self.scale = max(1, COMFORTABLE // max(height, width))
        size = (width * self.scale, height * self.scale)
        if size != self._size or not self._blit(frame):
            self._vanish()
            self._open(size)
            self._blit(frame)

    def _blit(self, frame: Frame) -> bool:
        """Draw the frame into the window; False where there is none any more."""
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
        """Put the title on the window, if there is one; another library may have shut it down."""
        if self._handle is None:
            return
        import pygame

        with contextlib.suppress(pygame.error):
            self._handle.title = self._title

    def _open(self, size: tuple[int, int]) -> None:
        """Open the window on the screen, (width, height) in screen pixels."""
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
        pygame.register_quit(_vanish_all)
        self._size = size
        _open_windows.add(self)

    def _vanish(self) -> None:
        """Take the window off the screen; harmless where pygame was shut down before."""
        _open_windows.discard(self)
        if self._handle is None:
            return
        import pygame

        self._handle.destroy()
        self._handle = None
        if pygame.display.get_init():
            pygame.event.pump()  # some systems take a window away only now

    def _take(self, event: pygame.Event) -> None:
        """Act on an event of the queue, if it is for this window."""
        import pygame

        mine = getattr(event, "window", None) is self._handle
        if event.type == pygame.QUIT or (mine and event.type == pygame.WINDOWCLOSE):
            self._vanish()
            self.closed_by_user = True
        elif mine and event.type == pygame.WINDOWEXPOSED and self._handle is not None:
            self._handle.flip()  # what covered the window took the picture away
        elif mine and event.type in _input_types():
            self._inputs.append(event)

    def _wait(self) -> None:
        """Sleep until the next frame is due. Between frames the caller may take its time."""
        if self.fps > 0:
            time.sleep(max(0.0, self._due - time.perf_counter()))
            self._due = time.perf_counter() + 1.0 / self.fps


def require_display(instead: str) -> None:
    """Make sure that a window would be seen.

    Args:
        instead: what to do without one, for the message.

    Raises:
        ImportError: pygame-ce is missing or broken.
        RuntimeError: there is no display, and SDL would draw where nobody looks. Who asks for that
            by the variable SDL_VIDEODRIVER gets it.
    """
    require_pygame()
    import pygame

    try:
        pygame.display.init()
    except pygame.error as error:
        raise RuntimeError(f"no window can be opened: {error}; {instead}") from error
    if "SDL_VIDEODRIVER" not in os.environ and pygame.display.get_driver() in UNSEEN_DRIVERS:
        raise RuntimeError(f"there is no display to open a window on; {instead}")


def pressed_key(event: pygame.Event) -> str | None:
    """The name of the key that an event presses, None if it presses none.

    Args:
        event: one of `Window.events`.

    Returns:
        What the key writes, in small letters ("a", "+"), otherwise pygame's name of the key
        ("space", "right", "escape").
    """
    import pygame

    if event.type != pygame.KEYDOWN:
        return None
    written = getattr(event, "unicode", "").lower()
    return written if written.strip() and written.isprintable() else pygame.key.name(event.key)


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


def _hand_out_events() -> None:
    """Empty pygame's queue, of which there is one for all windows, into the windows."""
    if not _open_windows:
        return
    import pygame

    if not pygame.display.get_init():
        return
    for event in pygame.event.get():
        for window in list(_open_windows):
            window._take(event)


def _vanish_all() -> None:
    """Let go of every window because pygame is being shut down."""
    for window in list(_open_windows):
        window._vanish()
