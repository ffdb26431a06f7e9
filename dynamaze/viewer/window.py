"""The window that `watch` and `play` share: it draws, records, and hears keys and clicks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any

import gymnasium as gym

from dynamaze.envs.base import MazeEnv
from dynamaze.envs.mazes.layout import Cell
from dynamaze.envs.rendering import OVERLAYS, Overlays, Window, pressed_key, require_display
from dynamaze.envs.rendering.scene import Frame

from .editor import Editor
from .environment import Camera
from .keys import HELP_KEYS, NUMBER_KEYS, PICTURE_KEYS, short
from .layout import STRIP_HEIGHT, HelpLine, Stage, Status
from .overlays import FROM_THE_SCENE, Source
from .recording import Studio

MESSAGE_SECONDS = 4.0
ROOM = (960, 720)  # pixels for a maze, where the desktop is large enough
LEAST_ROOM = (560, 320)  # for the strip and the help
FRAME_OF_WINDOW = (16, 90)  # pixels that a desktop needs beside a window's inside


class Screen:
    """A window on one environment, with a status strip below the picture.

    Attributes:
        window: None where there is no display; then it only makes frames, for films.
        maze: the environment where it is a maze; None otherwise.
        shown: the names of the overlays that are switched on.
        source: where their arrays come from.
        moment: what is shown instead of the present: the end of an episode, until it is None.
        studio: makes films and pictures of it.
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        *,
        camera: Camera,
        window: Window | None,
        source: Source,
        help_lines: Sequence[HelpLine] = (),
        min_size: tuple[int, int] = LEAST_ROOM,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.window, self.source, self.clock = window, source, clock
        self.maze = env.unwrapped if isinstance(env.unwrapped, MazeEnv) else None
        self.shown = set(FROM_THE_SCENE)
        self.moment: Any = None
        self.studio = Studio()
        self._camera, self._stage = camera, Stage(min_size)
        self._help_lines, self._help_open = help_lines, False
        self._editor = None if self.maze is None else Editor(self.maze)
        self._message, self._message_until = "", 0.0
        self._frame: Frame | None = None  # the latest
        self._stale = True

    # -- drawing -------------------------------------------------------------------------------

    @property
    def stale(self) -> bool:
        """Whether something has changed that is not drawn yet, apart from what the agent does."""
        return self._stale or (bool(self._message) and self.clock() >= self._message_until)

    def touch(self) -> None:
        """Say that something has changed."""
        self._stale = True

    def say(self, message: str) -> None:
        """Show a message in the strip for some seconds."""
        self._message, self._message_until = message, self.clock() + MESSAGE_SECONDS
        self._stale = True

    def draw(self, fields: Sequence[tuple[str, str]], note: str, now: float | None = None) -> None:
        """Draw what is to be seen now, into the window and the film.

        Args:
            fields: pairs (label, value) of the strip.
            note: its second line, unless there is a message.
            now: the film's time in seconds; None for the clock's.
        """
        frame = self.frame(fields, note)
        self._stale = False
        if self.window is not None:
            self.window.show(frame)
        if problem := self.studio.show(frame, self.clock() if now is None else now):
            self.say(problem)

    def frame(self, fields: Sequence[tuple[str, str]], note: str) -> Frame:
        """What `draw` shows, (height, width, 3)."""
        if self._message and self.clock() >= self._message_until:
            self._message = ""
        self._lay_overlays()
        aside = "H: keys" if self._help_lines and self.window is not None else ""
        status = Status(fields, self._message or note, aside, self.studio.film is not None)
        picture = self._camera.shoot(self.moment)
        self._frame = self._stage.compose(
            picture, status, self._help_lines if self._help_open else ()
        )
        return self._frame

    def _lay_overlays(self) -> None:
        if self.maze is None:
            return
        given: dict[str, Any] = dict.fromkeys(set(OVERLAYS) - set(FROM_THE_SCENE))
        given.update(self.source.arrays(self.shown))
        shape = self.maze.layout.rows, self.maze.layout.cols
        self.maze.overlays = self.maze.overlays.replace(shape, **given).only(self.shown)

    # -- overlays ------------------------------------------------------------------------------

    def show_overlays(self, names: Iterable[str]) -> None:
        """Switch overlays on.

        Raises:
            ValueError: one of them does not exist, or is not to be had here.
        """
        for name in names:
            Overlays().only([name])
            if why := self.source.missing(name):
                raise ValueError(f"overlay {name!r}: {why}")
            self.shown.add(name)

    def toggle(self, name: str) -> None:
        """Switch an overlay on or off, or say why there is none."""
        if name in self.shown:
            self.shown.remove(name)
            self.say(f"{name}: off")
        elif why := self.source.missing(name):
            self.say(why)
        else:
            self.shown.add(name)
            self.say(f"{name}: {short(name)}")

    # -- keys and clicks -----------------------------------------------------------------------

    def hear(self) -> list[str]:
        """Do what the person asks by the keys and clicks that all commands share.

        Returns:
            The other keys, oldest first.
        """
        if self.window is None:
            return []
        events = self.window.events()
        keys = [key for event in events for key in self._hear_event(event)]
        return [key for key in keys if not self.press(key)]

    @property
    def closed(self) -> bool:
        """Whether the person has closed the window."""
        return self.window is not None and self.window.closed_by_user

    def press(self, key: str) -> bool:
        """Do what a shared key says; False if it is none."""
        if key in HELP_KEYS or (key == "escape" and self._help_open):
            self._help_open = not self._help_open
            self.touch()
        elif key in NUMBER_KEYS:
            self.toggle(NUMBER_KEYS[key])
        elif key == "0":
            self.shown.clear()
            self.say("no overlays")
        elif key == "v":
            self.say(self.studio.toggle())
        elif key in PICTURE_KEYS and self._frame is not None:
            self.say(self.studio.save_picture(self._frame))
        else:
            return False
        return True

    def _hear_event(self, event: Any) -> list[str]:
        """The key of an event; a mouse event goes to the editor."""
        import pygame

        if self._editor is None:
            pass
        elif event.type == pygame.MOUSEBUTTONDOWN:
            shift = bool(pygame.key.get_mods() & pygame.KMOD_SHIFT)
            cell = self._cell_at(event.pos)
            if cell is not None:
                self._edited(self._editor.press(cell, event.button, shift=shift))
        elif event.type == pygame.MOUSEMOTION and event.buttons[0]:
            cell = self._cell_at(event.pos)
            if cell is not None:
                self._edited(self._editor.drag(cell))
        elif event.type == pygame.MOUSEBUTTONUP:
            self._editor.release()
        key = pressed_key(event)
        return [] if key is None else [key]

    def _cell_at(self, position: tuple[int, int]) -> Cell | None:
        """The cell under a place in the window; None beside the maze and under the help."""
        if self.window is None or self._help_open:
            return None
        x, y = (at // self.window.scale for at in position)
        return self._camera.cell_at(x - self._stage.origin[0], y - self._stage.origin[1])

    def _edited(self, message: str) -> None:
        if message:
            self.moment = None
            self.say(message)

    def close(self) -> None:
        """Finish the film and close the window."""
        try:
            self.studio.stop()
        finally:
            if self.window is not None:
                self.window.close()

    def __enter__(self) -> Screen:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def open_window(title: str) -> Window:
    """A window that shows each frame at once: who draws sets the pace."""
    return Window(title, fps=0)


def room_on_desktop() -> tuple[int, int]:
    """(width, height) that a maze may have so that the window fits the desktop.

    Raises:
        ImportError: pygame-ce is missing or broken.
        RuntimeError: there is nothing to open a window on.
    """
    require_display("without one, only films can be made")
    import pygame

    sizes = pygame.display.get_desktop_sizes()
    width, height = sizes[0] if sizes else (0, 0)
    beside, above = FRAME_OF_WINDOW
    if width <= beside or height <= above:
        return ROOM
    room = min(ROOM[0], width - beside), min(ROOM[1], height - above - STRIP_HEIGHT)
    return max(room[0], LEAST_ROOM[0]), max(room[1], LEAST_ROOM[1])
