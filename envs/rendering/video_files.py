"""Video files that are written frame by frame: GIF, animated PNG (APNG) and MP4.

Pillow compresses the pictures of GIF and APNG; the containers are written here, because Pillow
would hold all frames in memory. Only the bounding box of the pixels that changed is written, and
those that did not change are transparent in it.
"""

from __future__ import annotations

import io
import shutil
import struct
import tempfile
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import BoolArray
from dynamaze.common.optional_imports import optional_import
from dynamaze.common.registry import Registry

from .scene import Frame

FASTEST_GIF = 2  # shortest frame, in hundredths of a second: browsers slow down faster GIFs
TABLE_BITS = 7  # size of a GIF's color table, as its flags code it: 256
TRANSPARENT = 255  # index of the transparent color
MOST_NEW = 4096  # colors of a frame that are not in the shared table; a frame with more has its own
LARGEST_ERROR = 40  # difference in a channel above which a frame gets a color table of its own

SIMILAR = ((32, 0), (128, 16), (TRANSPARENT, 28))
"""Differences up to which a new color shares an entry, while fewer entries than this are used."""


class VideoFile(Protocol):
    """Content of a file, of frames of one size."""

    def add(self, frame: Frame) -> None:
        """Write a frame."""

    def finish(self) -> None:
        """Complete the content; the file is closed by its owner."""


class Gif:
    """Looping GIF whose frames share one table of colors; unchanged pixels are transparent.

    A frame whose colors the shared table cannot hold has a table of its own.
    """

    def __init__(self, file: BinaryIO, shape: tuple[int, int], fps: float) -> None:
        height, width = shape
        self._file = file
        self._fps = fps
        self._changes = FrameDifference()
        self._palette = SharedPalette()
        self._shown = np.full(shape, TRANSPARENT, dtype=np.uint8)  # indices of the shared colors
        self._count = 0
        flags = 0xF0 | TABLE_BITS  # a global color table, of 24-bit colors
        self._file.write(b"GIF89a" + struct.pack("<HHBBB", width, height, flags, 0, 0))
        self._table_at = self._file.tell()
        self._file.write(self._palette.table())
        self._file.write(b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00")  # 0: loop without end

    def add(self, frame: Frame) -> None:
        """Write the difference to the last frame."""
        top, left, part, changed = self._changes.next(frame)
        height, width = changed.shape
        pixels, flags, table = part[changed], 0, b""
        shown = self._shown[top : top + height, left : left + width]
        found = self._palette.find(pixels)
        if found is not None:
            found[found == shown[changed]] = TRANSPARENT  # a color that shares its entry
        else:
            found, table = own_palette(pixels)
            flags = 0x80 | TABLE_BITS  # a local color table
        indices = np.full((height, width), TRANSPARENT, dtype=np.uint8)
        indices[changed] = found
        np.copyto(shown, TRANSPARENT if table else indices, where=indices != TRANSPARENT)
        # Disposal: keep the frame; and the transparent color.
        control = struct.pack("<BHBB", 0x05, self._delay(), TRANSPARENT, 0)
        place = struct.pack("<HHHHB", left, top, width, height, flags)
        # A single write: an interrupt leaves a complete frame or none.
        self._file.write(b"\x21\xf9\x04" + control + b"\x2c" + place + table + _gif_pixels(indices))
        self._count += 1

    def finish(self) -> None:
        """Write the trailer, and the shared colors into the header."""
        self._file.write(b"\x3b")
        self._file.seek(self._table_at)
        self._file.write(self._palette.table())

    def _delay(self) -> int:
        """Return the frame's duration in hundredths of a second; rounding does not accumulate."""
        begin, end = (round(100 * (self._count + i) / self._fps) for i in (0, 1))
        return max(FASTEST_GIF, end - begin)


class AnimatedPng:
    """Looping animated PNG with 24-bit colors; unchanged pixels are transparent."""

    def __init__(self, file: BinaryIO, shape: tuple[int, int], fps: float) -> None:
        height, width = shape
        self._file = file
        self._delay = (1 / Fraction(fps)).limit_denominator(0x7FFF)
        self._changes = FrameDifference()
        self._count = 0
        header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)  # RGBA
        self._file.write(b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header))
        self._control_at = self._file.tell()
        self._write_control()

    def add(self, frame: Frame) -> None:
        """Write the difference to the last frame."""
        top, left, part, changed = self._changes.next(frame)
        height, width = changed.shape
        place = struct.pack(">IIII", width, height, left, top)
        # Disposal: keep the frame; the next one is drawn over it.
        time = struct.pack(">HHBB", self._delay.numerator, self._delay.denominator, 0, 1)
        pixels = np.zeros((height, width, 4), dtype=np.uint8)
        pixels[changed, :3] = part[changed]
        pixels[changed, 3] = 255
        data, first = _png_data(pixels), self._count == 0
        # Animation chunks are numbered: one for the first frame, two for each later frame.
        control, picture = (struct.pack(">I", max(0, 2 * self._count + i)) for i in (-1, 0))
        chunk = _chunk(b"IDAT", data) if first else _chunk(b"fdAT", picture + data)
        self._file.write(_chunk(b"fcTL", control + place + time) + chunk)
        self._count += 1

    def finish(self) -> None:
        """Write the end chunk, and the number of frames into the header."""
        self._file.write(_chunk(b"IEND", b""))
        self._file.seek(self._control_at)
        self._write_control()

    def _write_control(self) -> None:
        self._file.write(_chunk(b"acTL", struct.pack(">II", self._count, 0)))


class Mp4:
    """MP4 (H.264) written by ffmpeg; odd sides are padded by repeating the last row or column."""

    def __init__(self, file: BinaryIO, shape: tuple[int, int], fps: float) -> None:
        height, width = shape
        self._file = file
        self._folder = tempfile.TemporaryDirectory(prefix="dynamaze-")  # for ffmpeg's own file
        self._padding = ((0, height % 2), (0, width % 2), (0, 0))
        size = (width + width % 2, height + height % 2)
        self._path = Path(self._folder.name, "video.mp4")
        self._writer = require_ffmpeg().write_frames(
            str(self._path),
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

    def finish(self) -> None:
        """Wait until ffmpeg has finished, and copy its file.

        Raises:
            OSError: the file is missing, empty or incomplete.
        """
        with self._folder:
            self._writer.close()
            if not self._complete or not self._path.exists() or self._path.stat().st_size == 0:
                raise OSError("ffmpeg did not finish the video")
            with self._path.open("rb") as content:
                shutil.copyfileobj(content, self._file)


VideoFormat = Callable[[BinaryIO, tuple[int, int], float], VideoFile]
"""(file open for writing, (height, width), frames per second) -> video file."""

VIDEO_FILES: Registry[VideoFormat] = Registry(
    "path suffix", {".gif": Gif, ".png": AnimatedPng, ".mp4": Mp4}
)
"""Suffix -> class of the file."""


class FrameDifference:
    """Difference between successive frames."""

    def __init__(self) -> None:
        self._last: Frame | None = None

    def next(self, frame: Frame) -> tuple[int, int, Frame, BoolArray]:
        """Return top, left and pixels of the bounding box of all changes, and what changed in it.

        The box has one pixel at least, as a frame of a file must.
        """
        last, self._last = self._last, frame.copy()
        height, width = frame.shape[:2]
        if last is None:
            return 0, 0, frame, np.ones((height, width), dtype=np.bool_)
        # Whole rows first: NumPy is fast on long axes only.
        rows = np.nonzero((frame != last).reshape(height, width * 3).any(axis=1))[0]
        top, bottom = (rows[0], rows[-1] + 1) if rows.size else (0, 1)
        differs = frame[top:bottom] != last[top:bottom]
        changed = differs[..., 0] | differs[..., 1] | differs[..., 2]
        cols = np.nonzero(changed.any(axis=0))[0]
        left, right = (cols[0], cols[-1] + 1) if cols.size else (0, 1)
        return int(top), int(left), frame[top:bottom, left:right], changed[:, left:right]


class SharedPalette:
    """Table of up to 255 colors that grows with the frames of a film.

    The first colors are exact; the fuller the table, the more similar ones share an entry.
    """

    def __init__(self) -> None:
        self._colors = np.zeros((TRANSPARENT, 3), dtype=np.int16)
        self._used = 0
        # By packed color: index + 1, or 0 where unknown. Only the pages that are used take memory.
        self._entries = np.zeros(1 << 24, dtype=np.uint8)

    def find(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8] | None:
        """Return the index of each of (n, 3) pixels, (n,); None if the table cannot hold them."""
        red, green, blue = pixels.T.astype(np.int32)
        packed = red << 16 | green << 8 | blue
        entries = self._entries[packed]
        unknown = entries == 0
        if unknown.any():
            if not self._add(packed[unknown]):
                return None
            entries = self._entries[packed]
        return np.asarray(entries - 1)

    def table(self) -> bytes:
        """Return the colors as a GIF's table, with the transparent one at its end."""
        return self._colors.astype(np.uint8).tobytes() + bytes(3)

    def _add(self, packed: npt.NDArray[np.int32]) -> bool:
        """Give each packed color (n,) an entry; return False if there are too many."""
        distinct, counts = np.unique(packed, return_counts=True)
        if distinct.size > MOST_NEW:
            return False
        distinct = distinct[np.argsort(-counts, kind="stable")]  # the most frequent first
        colors = np.stack([distinct >> 16, distinct >> 8 & 255, distinct & 255], axis=1)
        colors = colors.astype(np.int16)
        nearest = np.zeros(len(colors), dtype=np.intp)
        distances = np.full(len(colors), 256, dtype=np.int16)  # to the nearest entry
        for entry in range(self._used):
            self._compare(entry, colors, nearest, distances)
        while (far := np.nonzero(distances > self._similar())[0]).size:
            if self._used == TRANSPARENT:
                return False
            self._colors[self._used] = colors[far[0]]
            self._compare(self._used, colors, nearest, distances)
            self._used += 1
        self._entries[distinct] = nearest + 1
        return True

    def _compare(
        self,
        entry: int,
        colors: npt.NDArray[np.int16],
        nearest: npt.NDArray[np.intp],
        distances: npt.NDArray[np.int16],
    ) -> None:
        """Take an entry for the colors that are nearer to it than to their entries, in place."""
        offsets = np.abs(colors - self._colors[entry])
        found = np.maximum(np.maximum(offsets[:, 0], offsets[:, 1]), offsets[:, 2])
        nearer = found < distances
        nearest[nearer], distances[nearer] = entry, found[nearer]

    def _similar(self) -> int:
        """Return the difference up to which a new color shares an entry."""
        return next((most for used, most in SIMILAR if self._used < used), LARGEST_ERROR)


def own_palette(pixels: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.uint8], bytes]:
    """Return the indices of (n, 3) pixels in a table of their own, and the table."""
    from PIL import Image

    picture = Image.fromarray(pixels[np.newaxis]).quantize(
        TRANSPARENT, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE
    )
    colors = bytes(picture.getpalette() or [])[: 3 * TRANSPARENT]
    return np.asarray(picture)[0], colors.ljust(3 * (TRANSPARENT + 1), b"\0")


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


def _gif_pixels(indices: npt.NDArray[np.uint8]) -> bytes:
    """Compress (height, width) indices as the data of a GIF's picture."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(indices).save(buffer, "GIF", interlace=0, optimize=False)
    content = buffer.getvalue()
    at = 13 + 3 * (2 << (content[10] & 0x07))  # after the header and the color table
    while content[at] == 0x21:  # skip extensions: a label, and blocks up to an empty one
        at += 2
        while content[at]:
            at += content[at] + 1
        at += 1
    return content[at + 10 : -1]
