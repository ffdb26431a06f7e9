"""Videos and screenshots of a window."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from dynamaze.common.atomic_files import write_atomically
from dynamaze.envs.rendering.recorder import Recorder
from dynamaze.envs.rendering.scene import Frame
from dynamaze.envs.rendering.video_files import png

VIDEO_FPS = 30
LONGEST_STILL = 1.0  # seconds: longer pauses are cut
LONGEST_VIDEO = 600  # seconds, after which a forgotten recording ends
INVISIBLE = 12  # difference in a channel, of 255, up to which a pixel of a film is not drawn anew
EXACT_FRAMES = 15  # frames of a film from one that is exact to the next


class VideoRecorder:
    """Recorder of videos and screenshots of one window, one video at a time.

    `show`, `toggle` and `save_screenshot` return errors of writing as messages for the status strip
    instead of raising them.

    Attributes:
        video: the video that is being recorded; None if there is none.
        saved: files written so far.
        error: reason why the latest video was lost; None if it was not.
    """

    def __init__(self) -> None:
        self.video: ConstantRateVideo | None = None
        self.saved: list[Path] = []
        self.error: OSError | None = None

    def start(self, path: str | Path) -> None:
        """Start a video.

        Raises:
            ValueError, FileNotFoundError, ImportError: as `ConstantRateVideo`.
        """
        self.error = None
        self.video = ConstantRateVideo(path)

    def stop(self) -> str:
        """Complete the video, if there is one; return a message.

        Raises:
            OSError: the file cannot be written.
        """
        if self.video is None:
            return ""
        video, self.video = self.video, None
        try:
            video.close()
        except OSError as error:
            raise OSError(f"{video.path} was not written: {error}") from error
        if not video.path.exists():
            return "nothing was recorded"
        return self._saved(video.path)

    def show(self, frame: Frame, now: float) -> str:
        """Record a frame shown from time `now` on, in seconds; return a message."""
        if self.video is None:
            return ""
        try:
            self.video.show(frame, now)
            return self.stop() if self.video.is_full else ""
        except OSError as error:
            self.video, self.error = None, error
            return f"the video is lost: {error}"

    def toggle(self) -> str:
        """Start or stop a video; return a message."""
        try:
            if self.video is not None:
                return self.stop()
            self.start(new_path("gif"))
        except OSError as error:
            self.video = None
            return f"no video: {error}"
        return "recording; V ends it"

    def save_screenshot(self, frame: Frame) -> str:
        """Write a frame as a PNG file into the current folder; return a message."""
        path = new_path("png")
        try:
            write_atomically(path, png(frame))
        except OSError as error:
            return f"no picture: {error}"
        return self._saved(path)

    def _saved(self, path: Path) -> str:
        self.saved.append(path)
        return f"saved {path}"


class ConstantRateVideo:
    """Video with `VIDEO_FPS` frames per second, from frames shown at arbitrary times.

    Between exact frames, `EXACT_FRAMES` apart, a pixel keeps its color until that differs by more
    than `INVISIBLE` in a channel: the fading of a trail and of heat maps would fill the file
    otherwise.

    Attributes:
        path: the file, which exists after `close`.
    """

    def __init__(self, path: str | Path) -> None:
        """Set the file.

        Raises:
            ValueError: suffix other than .gif, .png and .mp4.
            FileNotFoundError: the folder does not exist.
            ImportError: an MP4 without imageio-ffmpeg.
        """
        self._recorder = Recorder(path, VIDEO_FPS)
        self._latest: tuple[Frame, float] | None = None
        self._pending = 0.0  # frames due but not written, a fraction
        self._drawn: Frame | None = None  # the latest frame, as it is written
        self._num_shown = 0
        self.path = self._recorder.path

    @property
    def seconds(self) -> float:
        """Length so far."""
        return self._recorder.num_frames / VIDEO_FPS

    @property
    def is_full(self) -> bool:
        """True if the video has its largest length."""
        return self.seconds >= LONGEST_VIDEO

    def is_due(self, now: float) -> bool:
        """Return True if a frame shown now would be visible in the video."""
        return self._latest is None or (now - self._latest[1]) * VIDEO_FPS + self._pending >= 0.5

    def show(self, frame: Frame, now: float) -> None:
        """Add a frame that is shown from time `now` on, in seconds.

        Raises:
            ValueError: a frame of another size.
            OSError: the file cannot be written.
        """
        if self._latest is not None:
            last, since = self._latest
            # The rounding error is carried over, so that the video keeps the real duration.
            self._pending += min(now - since, LONGEST_STILL) * VIDEO_FPS
            for _ in range(round(self._pending)):
                self._recorder.add(last)
            self._pending -= round(self._pending)
        exact = self._num_shown % EXACT_FRAMES == 0
        self._drawn = frame.copy() if exact else keep_similar(self._drawn, frame)
        self._num_shown += 1
        self._latest = self._drawn, now

    def close(self) -> None:
        """Complete the file; without a frame there is none."""
        if self._latest is not None:
            self._recorder.add(self._latest[0])
        self._latest = None
        self._recorder.close()


def keep_similar(drawn: Frame | None, frame: Frame) -> Frame:
    """Return a frame in which pixels that differ by at most `INVISIBLE` are those drawn before.

    Args:
        drawn: the frame before, (height, width, 3); None or another size for none.
        frame: the new one, of the same size.
    """
    if drawn is None or drawn.shape != frame.shape:
        return frame.copy()
    # Of unsigned bytes: the difference of the larger and the smaller one cannot wrap around.
    far = np.maximum(frame, drawn) - np.minimum(frame, drawn) > INVISIBLE
    changed = far[..., 0] | far[..., 1] | far[..., 2]
    kept = drawn.copy()
    kept[changed] = frame[changed]
    return kept


def new_path(suffix: str) -> Path:
    """Return an unused file name that contains the present time."""
    stem = time.strftime("dynamaze-%Y%m%d-%H%M%S")
    names = (f"{stem}{number}.{suffix}" for number in ("", *(f"-{n}" for n in range(2, 1000))))
    return next(path for path in map(Path, names) if not path.exists())
