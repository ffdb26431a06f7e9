"""A film that is written while it is shot, however long."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from dynamaze.common.validation import checked_number, did_you_mean

from .scene import Frame, check_frame
from .video_files import FILMS, Film, require_ffmpeg

SLOWEST, FASTEST = 0.01, 1000.0  # frames a second


class Recorder:
    """Writes frames to a file as they come, and holds no more than the last one.

    The file has its name only from when `close` is called, and is whole then; until then it is
    `.NAME.XXXXXXXX.part` in the same folder, and so it stays if the process is killed. Use it as a
    context manager: what was recorded before an error is kept.

    Attributes:
        path: the file.
        fps: frames a second.
        num_frames: how many were added.
    """

    def __init__(self, path: str | os.PathLike[str], fps: float = 30) -> None:
        """Choose the file; nothing is written before the first frame.

        Args:
            path: ends in ".gif", ".png" (an animated PNG) or ".mp4".
            fps: frames a second, 0.01 to 1000; a GIF shows at most 50.

        Raises:
            ValueError: another ending, or a number outside its range.
            FileNotFoundError: the folder does not exist.
            ImportError: what writes MP4 is not installed.
        """
        self.path = Path(path)
        self.fps = checked_number("fps", fps, SLOWEST, FASTEST)
        self.num_frames = 0
        self._make_film = FILMS[check_suffix(self.path)]
        self._film: Film | None = None
        self._shape: tuple[int, ...] | None = None
        self._part = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}.part")
        self._closed = False
        if not self.path.parent.is_dir():
            raise FileNotFoundError(f"path: there is no folder {self.path.parent}")

    def add(self, frame: Frame) -> None:
        """Write a frame.

        Args:
            frame: (height, width, 3), uint8, of the same size as the first.

        Raises:
            ValueError: another shape or dtype; the recorder goes on.
            RuntimeError: the recorder was closed.
            OSError: the file cannot be written; the recorder is closed, and there is no file.
        """
        if self._closed:
            raise RuntimeError(f"add() after close(): {self.path} is finished")
        check_frame(frame)
        check_same_shape(frame, self._shape, self.num_frames)
        try:
            if self._film is None:
                height, width = self._shape = frame.shape[:2]
                self._film = self._make_film(self._part, (height, width), self.fps)
            self._film.add(frame)
        except Exception:  # not Ctrl-C: what came before is kept
            self.discard()
            raise
        self.num_frames += 1

    def close(self) -> None:
        """Finish the file and give it its name; without a frame there is none. May come twice.

        Raises:
            OSError: the file cannot be written; what was there before stays as it was.
        """
        if self._closed or self._film is None:
            self._closed = True
            return
        self._closed = True
        try:
            self._film.close()
            os.replace(self._part, self.path)
        finally:
            self._remove_part()

    def discard(self) -> None:
        """Close without a file."""
        self._closed = True
        if self._film is not None:
            with suppress(OSError):
                self._film.close()
        self._remove_part()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _remove_part(self) -> None:
        with suppress(FileNotFoundError):
            self._part.unlink()


def check_suffix(path: Path) -> str:
    """Read what kind of film a file is to be.

    Raises:
        ValueError: there is no such kind.
    """
    suffix = path.suffix.lower()
    if suffix not in FILMS:
        hint = did_you_mean(suffix, FILMS)
        raise ValueError(
            f"path: {str(path)!r} ends in {suffix!r}; expected {', '.join(FILMS)}{hint}"
        )
    if suffix == ".mp4":
        require_ffmpeg()
    return suffix


def check_same_shape(frame: Frame, shape: tuple[int, ...] | None, index: int) -> None:
    """Make sure that a frame is as large as the first.

    Raises:
        ValueError: it is not.
    """
    if shape is not None and frame.shape[:2] != shape[:2]:
        raise ValueError(
            f"frame {index}: {frame.shape[0]}x{frame.shape[1]} pixels; "
            f"expected {shape[0]}x{shape[1]}, as the first"
        )
