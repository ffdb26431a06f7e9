"""Recording of frames to a video file, and animations for notebooks."""

from __future__ import annotations

import base64
import json
import os
import uuid
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import numpy as np

from dynamaze.common.atomic_files import AtomicFile
from dynamaze.common.validation import checked_number

from .scene import Frame, check_frame
from .video_files import VIDEO_FILES, VideoFile, VideoFormat, png, require_ffmpeg

MIN_FPS, MAX_FPS = 0.01, 1000.0


class Recorder(AbstractContextManager["Recorder"]):
    """Writer of a video file, frame by frame; only the last frame is held in memory.

    The file gets its name when `close` is called, and is complete then. Until then it is a
    temporary file in the same folder; that of a killed process is removed by the next write there.
    Use the recorder as a context manager: frames recorded before an error are kept.

    Attributes:
        path: the file.
        fps: frames per second.
        num_frames: number of frames added.
    """

    def __init__(self, path: str | os.PathLike[str], fps: float = 30) -> None:
        """Set the file; nothing is written before the first frame.

        Args:
            path: ends in ".gif", ".png" (an animated PNG) or ".mp4".
            fps: frames per second, 0.01 to 1000; a GIF shows at most 50.

        Raises:
            ValueError: unknown suffix, or `fps` outside its range.
            FileNotFoundError: the folder does not exist.
            ImportError: an MP4 without imageio-ffmpeg.
        """
        self.path = Path(path)
        self.fps = checked_number("fps", fps, MIN_FPS, MAX_FPS)
        self.num_frames = 0
        self._open_file = find_format(self.path)
        self._file: VideoFile | None = None
        self._shape: tuple[int, ...] | None = None
        self._atomic: AtomicFile | None = None
        self._closed = False
        if not self.path.parent.is_dir():
            raise FileNotFoundError(f"path: there is no folder {self.path.parent}")

    def add(self, frame: Frame) -> None:
        """Write a frame.

        Args:
            frame: (height, width, 3), uint8, of the same size as the first.

        Raises:
            ValueError: wrong shape or dtype; the recorder can still be used.
            RuntimeError: the recorder is closed.
            OSError: the file cannot be written; the recorder is closed without a file.
        """
        if self._closed:
            raise RuntimeError(f"add() after close(): {self.path} is finished")
        check_frame(frame)
        check_same_shape(frame, self._shape, self.num_frames)
        try:
            if self._file is None:
                height, width = self._shape = frame.shape[:2]
                self._atomic = AtomicFile(self.path)
                self._file = self._open_file(self._atomic.file, (height, width), self.fps)
            self._file.add(frame)
        except Exception as error:  # not KeyboardInterrupt: the frames before it are kept
            if isinstance(error, OSError) and self._atomic is not None:
                self._atomic.name_in(error)
            self.discard()
            raise
        self.num_frames += 1

    def close(self) -> None:
        """Complete the file and rename it to `path`; without frames no file is made.

        May be called several times.

        Raises:
            OSError: the file cannot be written; an older file of that name is left unchanged.
        """
        was_closed, self._closed = self._closed, True
        if self._file is not None and self._atomic is not None and not was_closed:
            with self._atomic:
                self._file.finish()

    def discard(self) -> None:
        """Close the recorder and delete what was written."""
        self._closed = True
        if self._file is not None:
            with suppress(OSError):
                self._file.finish()  # ends ffmpeg
        if self._atomic is not None:
            self._atomic.discard()

    def __exit__(self, *_error: object) -> None:
        self.close()


def find_format(path: Path) -> VideoFormat:
    """Return the class that writes files with the suffix of a path.

    Raises:
        ValueError: unknown suffix.
        ImportError: an MP4 without imageio-ffmpeg.
    """
    suffix = path.suffix.lower()
    video_file = VIDEO_FILES.find(suffix)
    if suffix == ".mp4":
        require_ffmpeg()
    return video_file


def check_same_shape(frame: Frame, shape: tuple[int, ...] | None, index: int) -> None:
    """Check that a frame has the size of the first one.

    Raises:
        ValueError: it has another size.
    """
    if shape is not None and frame.shape[:2] != shape[:2]:
        raise ValueError(
            f"frame {index}: {frame.shape[0]}x{frame.shape[1]} pixels; "
            f"expected {shape[0]}x{shape[1]}, as the first"
        )


HTML = """\
<div id="{name}" style="display:inline-block;font:13px sans-serif">
<img src="{first}" width="{width}" height="{height}" alt="frame 1 of {count}" \
style="display:block;image-rendering:pixelated;max-width:none">
<div style="display:flex;align-items:center;gap:8px;margin-top:4px">
<button type="button" aria-label="play or pause" style="width:36px">&#9654;</button>
<input type="range" min="0" max="{last}" value="0" aria-label="frame" style="flex:1">
<output>1 / {count}</output>
</div></div>
<script>
(() => {{
  const frames = {frames};
  const box = document.getElementById("{name}");
  const find = (tag) => box.querySelector(tag);
  const [image, button, slider, label] = ["img", "button", "input", "output"].map(find);
  let timer = null;
  const show = (index) => {{
    image.src = "data:image/png;base64," + frames[index];
    image.alt = "frame " + (index + 1) + " of " + frames.length;
    slider.value = index;
    label.textContent = (index + 1) + " / " + frames.length;
  }};
  const pause = () => {{
    clearInterval(timer);
    timer = null;
    button.textContent = "\\u25b6";
  }};
  const next = () => {{
    if (!box.isConnected) return pause();
    show((Number(slider.value) + 1) % frames.length);
  }};
  const play = () => {{
    timer = setInterval(next, {period});
    button.textContent = "\\u275a\\u275a";
  }};
  button.onclick = () => timer === null ? play() : pause();
  slider.oninput = () => {{ pause(); show(Number(slider.value)); }};
}})();
</script>
"""


class Animation:
    """Frames that are played in a notebook or saved as a video.

    The notebook's HTML is self-contained; where scripts are disabled it shows the first frame.

    Attributes:
        frames: each (height, width, 3), uint8, read-only; all of one size.
        fps: frames per second.
    """

    def __init__(self, frames: Iterable[Frame], fps: float = 10) -> None:
        """Copy the frames.

        Args:
            frames: each (height, width, 3), uint8, all of one size; at least one.
            fps: frames per second, 0.01 to 1000.

        Raises:
            ValueError: no frames, frames of unequal size or of a wrong dtype, or `fps` outside its
                range.
        """
        self.fps = checked_number("fps", fps, MIN_FPS, MAX_FPS)
        self.frames: Sequence[Frame] = tuple(_copied(frames))
        if not self.frames:
            raise ValueError("frames: none; expected at least one")

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a video file atomically: an older file is replaced only by a complete one.

        Args:
            path: ends in ".gif", ".png" (an animated PNG) or ".mp4".

        Raises:
            ValueError: unknown suffix.
            ImportError: an MP4 without imageio-ffmpeg.
            OSError: the file cannot be written.
        """
        with Recorder(path, self.fps) as recorder:
            for frame in self.frames:
                recorder.add(frame)

    def __len__(self) -> int:
        return len(self.frames)

    def _repr_html_(self) -> str:
        encoded = [base64.b64encode(png(frame)).decode("ascii") for frame in self.frames]
        height, width = self.frames[0].shape[:2]
        return HTML.format(
            name=f"dynamaze-{uuid.uuid4().hex}",
            first=f"data:image/png;base64,{encoded[0]}",
            width=width,
            height=height,
            count=len(encoded),
            last=len(encoded) - 1,
            frames=json.dumps(encoded),
            period=round(1000 / self.fps),
        )


def _copied(frames: Iterable[Frame]) -> Iterable[Frame]:
    """Check frames and yield read-only copies."""
    shape: tuple[int, ...] | None = None
    for index, frame in enumerate(frames):
        check_frame(frame)
        check_same_shape(frame, shape, index)
        shape = frame.shape
        copy = np.array(frame)
        copy.setflags(write=False)
        yield copy
