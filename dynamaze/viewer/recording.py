"""Films and pictures of what a window shows."""

from __future__ import annotations

import time
from pathlib import Path

from dynamaze.common.storage import write_atomically
from dynamaze.envs.rendering import Recorder
from dynamaze.envs.rendering.scene import Frame
from dynamaze.envs.rendering.video_files import png

FILM_FPS = 30
LONGEST_STILL = 1.0  # seconds: pauses are cut short to this
LONGEST_FILM = 600  # seconds, after which a film ends by itself: a forgotten one fills no disk


class Film:
    """Frames that are shown at any times, written as a film of `FILM_FPS` frames a second.

    Attributes:
        path: the file, which is there when the film is closed.
    """

    def __init__(self, path: str | Path) -> None:
        """Choose the file.

        Raises:
            ValueError: its name ends neither in .gif, .png nor .mp4.
            FileNotFoundError: its folder does not exist.
            ImportError: what writes MP4 is not installed.
        """
        self._recorder = Recorder(path, FILM_FPS)
        self._latest: tuple[Frame, float] | None = None
        self._owed = 0.0  # frames
        self.path = self._recorder.path

    @property
    def seconds(self) -> float:
        """How long it is so far."""
        return self._recorder.num_frames / FILM_FPS

    @property
    def is_full(self) -> bool:
        """Whether it has the length at which it ends."""
        return self.seconds >= LONGEST_FILM

    def is_due(self, now: float) -> bool:
        """Whether a frame that is shown now would be seen in the film."""
        return self._latest is None or (now - self._latest[1]) * FILM_FPS + self._owed >= 0.5

    def show(self, frame: Frame, now: float) -> None:
        """Take note of what is shown from now on, in seconds.

        Raises:
            ValueError: a frame of another size.
            OSError: the file cannot be written.
        """
        if self._latest is not None:
            last, since = self._latest
            self._owed += min(now - since, LONGEST_STILL) * FILM_FPS
            for _ in range(round(self._owed)):
                self._recorder.add(last)
            self._owed -= round(self._owed)
        self._latest = frame, now

    def close(self) -> None:
        """Finish the file; without a frame there is none."""
        if self._latest is not None:
            self._recorder.add(self._latest[0])
        self._latest = None
        self._recorder.close()


class Studio:
    """Makes the films and pictures of one window, one film at a time.

    What goes wrong while somebody watches is told, and not raised.

    Attributes:
        film: what is being recorded; None while nothing is.
        saved: the files that were written.
    """

    def __init__(self) -> None:
        self.film: Film | None = None
        self.saved: list[Path] = []

    def record(self, path: str | Path) -> None:
        """Record from now on.

        Raises:
            ValueError, FileNotFoundError, ImportError: as `Film` says.
        """
        self.film = Film(path)

    def stop(self) -> str:
        """Finish the film, if there is one; gives what is to be told.

        Raises:
            OSError: it cannot be written.
        """
        if self.film is None:
            return ""
        film, self.film = self.film, None
        film.close()
        if not film.path.exists():
            return "nothing was recorded"
        return self._saved(film.path)

    def show(self, frame: Frame, now: float) -> str:
        """Take note of what is shown from now on, in seconds; gives what is to be told."""
        if self.film is None:
            return ""
        try:
            self.film.show(frame, now)
            return self.stop() if self.film.is_full else ""
        except OSError as error:
            self.film = None
            return f"the film is lost: {error}"

    def toggle(self) -> str:
        """Begin or end a film; gives what is to be told."""
        try:
            if self.film is not None:
                return self.stop()
            self.record(new_path("gif"))
        except OSError as error:
            self.film = None
            return f"no film: {error}"
        return "recording; V ends it"

    def save_picture(self, frame: Frame) -> str:
        """Write a frame as a PNG file into the present folder; gives what is to be told."""
        path = new_path("png")
        try:
            write_atomically(path, png(frame))
        except OSError as error:
            return f"no picture: {error}"
        return self._saved(path)

    def _saved(self, path: Path) -> str:
        self.saved.append(path)
        return f"saved {path}"


def new_path(ending: str) -> Path:
    """A file name of its own that tells the time."""
    stem = time.strftime("dynamaze-%Y%m%d-%H%M%S")
    names = (f"{stem}{number}.{ending}" for number in ("", *(f"-{n}" for n in range(2, 1000))))
    return next(path for path in map(Path, names) if not path.exists())
