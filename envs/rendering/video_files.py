"""Video files that are written frame by frame: GIF, animated PNG (APNG) and MP4.

Pillow compresses the pictures of GIF and APNG; the containers are written here, because Pillow
would hold all frames in memory. Only the bounding box of the pixels that changed is written.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from dynamaze.common.atomic_files import AtomicFile
from dynamaze.common.optional_imports import optional_import
from dynamaze.common.registry import Registry

from .scene import Frame

FASTEST_GIF = 2  # shortest frame, in hundredths of a second: browsers slow down faster GIFs


class VideoFile(Protocol):
    """File of frames of one size."""

    def add(self, frame: Frame) -> None:
        """Write a frame."""

    def close(self) -> None:
        """Complete the content; the file is not closed."""


class Gif:
    """Looping GIF; each frame has its own table of up to 256 colors."""

    def __init__(self, file: AtomicFile, shape: tuple[int, int], fps: float) -> None:
        height, width = shape
        self._file = file.file
        self._fps = fps
        self._changes = FrameDifference()
        self._count = 0
        self._file.write(b"GIF89a" + struct.pack("<HHBBB", width, height, 0x70, 0, 0))
        self._file.write(b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00")  # 0: loop without end

    def add(self, frame: Frame) -> None:
        """Write the difference to the last frame."""
        top, left, part = self._changes.next(frame)
        height, width = part.shape[:2]
        bits, table, data = _gif_parts(part)
        control = struct.pack("<BHBB", 0x04, self._delay(), 0, 0)  # disposal: keep the frame
        place = struct.pack("<HHHHB", left, top, width, height, 0x80 | bits)  # a local color table
        # A single write: an interrupt leaves a complete frame or none.
        self._file.write(b"\x21\xf9\x04" + control + b"\x2c" + place + table + data)
        self._count += 1

    def close(self) -> None:
        """Write the trailer."""
        self._file.write(b"\x3b")

    def _delay(self) -> int:
        """Return the frame's duration in hundredths of a second; rounding does not accumulate."""
        begin, end = (round(100 * (self._count + i) / self._fps) for i in (0, 1))
        return max(FASTEST_GIF, end - begin)


class AnimatedPng:
    """Looping animated PNG with 24-bit colors."""

    def __init__(self, file: AtomicFile, shape: tuple[int, int], fps: float) -> None:
        height, width = shape
        self._file = file.file
        self._delay = (1 / Fraction(fps)).limit_denominator(0x7FFF)
        self._changes = FrameDifference()
        self._count = 0
        header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        self._file.write(b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header))
        self._control_at = self._file.tell()
        self._write_control()

    def add(self, frame: Frame) -> None:
        """Write the difference to the last frame."""
        top, left, part = self._changes.next(frame)
        height, width = part.shape[:2]
        place = struct.pack(">IIII", width, height, left, top)
        time = struct.pack(">HHBB", self._delay.numerator, self._delay.denominator, 0, 0)
        data, first = _png_data(part), self._count == 0
        # Animation chunks are numbered: one for the first frame, two for each later frame.
        control, picture = (struct.pack(">I", max(0, 2 * self._count + i)) for i in (-1, 0))
        chunk = _chunk(b"IDAT", data) if first else _chunk(b"fdAT", picture + data)
        self._file.write(_chunk(b"fcTL", control + place + time) + chunk)
        self._count += 1

    def close(self) -> None:
        """Write the end chunk, and the number of frames into the header."""
        self._file.write(_chunk(b"IEND", b""))
        self._file.seek(self._control_at)
        self._write_control()

    def _write_control(self) -> None:
        self._file.write(_chunk(b"acTL", struct.pack(">II", self._count, 0)))


class Mp4:
    """MP4 (H.264) written by ffmpeg; odd sides are padded by repeating the last row or column."""

    def __init__(self, file: AtomicFile, shape: tuple[int, int], fps: float) -> None:
        height, width = shape
        self._padding = ((0, height % 2), (0, width % 2), (0, 0))
        size = (width + width % 2, height + height % 2)
        self._path, self._name = Path(file.temporary), file.path
        self._writer = require_ffmpeg().write_frames(
            file.temporary,
            size,
            fps=fps,
            macro_block_size=2,
            output_params=["-f", "mp4"],
            quality=8,
        )
        self._writer.send(None)
        self._complete = True

    def add(self, frame: Frame) -> None:
        """Send a frame to ffmpeg."""
        padded = np.pad(frame, self._padding, mode="edge")
        self._complete = False  # if an interrupt stops ffmpeg now, its file has no end
        self._writer.send(padded)
        self._complete = True

    def close(self) -> None:
        """Wait until ffmpeg has finished.

        Raises:
            OSError: the file is missing, empty or incomplete.
        """
        self._writer.close()
        if not self._complete or not self._path.exists() or self._path.stat().st_size == 0:
            raise OSError(f"ffmpeg did not finish {self._name}")


VIDEO_FILES: Registry[Callable[[AtomicFile, tuple[int, int], float], VideoFile]] = Registry(
    "path suffix", {".gif": Gif, ".png": AnimatedPng, ".mp4": Mp4}
)
"""Suffix -> class of the file."""


class FrameDifference:
    """Difference between successive frames."""

    def __init__(self) -> None:
        self._last: Frame | None = None

    def next(self, frame: Frame) -> tuple[int, int, Frame]:
        """Return top, left and pixels of the bounding box of all changed pixels."""
        last, self._last = self._last, frame.copy()
        if last is None:
            return 0, 0, frame
        differs = (frame != last).any(axis=2)
        if not differs.any():
            return 0, 0, frame[:1, :1]  # a frame of a file has at least one pixel
        rows, cols = np.nonzero(differs.any(axis=1))[0], np.nonzero(differs.any(axis=0))[0]
        top, left = int(rows[0]), int(cols[0])
        return top, left, frame[top : rows[-1] + 1, left : cols[-1] + 1]


def require_ffmpeg() -> Any:
    """Import imageio-ffmpeg, which writes MP4.

    Raises:
        ImportError: it is not installed.
    """
    return optional_import("imageio_ffmpeg", extra="video", purpose="an MP4")


def png(frame: Frame) -> bytes:
    """Return a frame as the content of a PNG file."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "PNG")
    return buffer.getvalue()


def _png_data(frame: Frame) -> bytes:
    """Return the compressed pixels of a PNG file, the content of its IDAT chunks."""
    from PIL import Image, PngImagePlugin

    chunks = PngImagePlugin.getchunks(Image.fromarray(frame))
    return b"".join(data for name, data, _ in chunks if name == b"IDAT")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _gif_parts(frame: Frame) -> tuple[int, bytes, bytes]:
    """Compress a picture as a GIF.

    Returns:
        Size of the color table as coded in a GIF's flags, the table, and the compressed pixels.
    """
    from PIL import Image

    buffer = io.BytesIO()
    picture = Image.fromarray(frame).quantize(256, dither=Image.Dither.NONE)
    picture.save(buffer, "GIF", interlace=0)
    content = buffer.getvalue()
    bits = content[10] & 0x07
    table_end = 13 + 3 * (2 << bits)
    at = table_end
    while content[at] == 0x21:  # skip extensions: a label, and blocks up to an empty one
        at += 2
        while content[at]:
            at += content[at] + 1
        at += 1
    return bits, content[13:table_end], content[at + 10 : -1]
