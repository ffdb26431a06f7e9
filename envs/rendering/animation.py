"""A film in memory, that a notebook shows."""

from __future__ import annotations

import base64
import json
import os
import uuid
from collections.abc import Iterable, Sequence

import numpy as np

from dynamaze.common.validation import checked_number

from .recorder import FASTEST, SLOWEST, Recorder, check_same_shape
from .scene import Frame, check_frame
from .video_files import png

PAGE = """\
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
    """Frames that are played in a notebook, or saved as a film.

    What a notebook shows holds all that it needs; where scripts do not run it is the first frame.

    Attributes:
        frames: each (height, width, 3), uint8, read-only; all of one size.
        fps: frames a second.
    """

    def __init__(self, frames: Iterable[Frame], fps: float = 10) -> None:
        """Take the frames; they are copied.

        Args:
            frames: each (height, width, 3), uint8, all of one size; at least one.
            fps: frames a second, 0.01 to 1000.

        Raises:
            ValueError: no frames, or one of another size or kind, or a number outside its range.
        """
        self.fps = checked_number("fps", fps, SLOWEST, FASTEST)
        self.frames: Sequence[Frame] = tuple(_copied(frames))
        if not self.frames:
            raise ValueError("frames: none; expected at least one")

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the film; the file is whole, or as it was before.

        Args:
            path: ends in ".gif", ".png" (an animated PNG) or ".mp4".

        Raises:
            ValueError: another ending.
            ImportError: what writes MP4 is not installed.
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
        return PAGE.format(
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
    shape: tuple[int, ...] | None = None
    for index, frame in enumerate(frames):
        check_frame(frame)
        check_same_shape(frame, shape, index)
        shape = frame.shape
        copy = np.array(frame)
        copy.setflags(write=False)
        yield copy
