"""Videos: in a notebook, and in files that are complete or absent."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import tracemalloc
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dynamaze.common.atomic_files import TEMPORARY
from dynamaze.envs.rendering import Animation, FramePainter, Recorder, Scene
from dynamaze.envs.rendering.scene import Frame
from dynamaze.envs.rendering.video_files import LARGEST_ERROR

Image = pytest.importorskip("PIL.Image")
SUFFIXES = (".gif", ".png")


def maze_frames(count: int = 6) -> list[Frame]:
    walls = np.zeros((3, 4), dtype=np.bool_)
    walls[1, 1] = True
    painter = FramePainter(3, 4, cell_size=16)
    cells = [(2, 0), (2, 1), (2, 1), (2, 2), (2, 3), (1, 3), (0, 3)]
    scenes = [Scene(walls, ((2, 0),), ((0, 3),), cells[i % 7]) for i in range(count)]
    return [painter.paint(scene) for scene in scenes]


def read_frames(path: Path) -> list[Frame]:
    with Image.open(path) as video:
        frames = []
        for index in range(getattr(video, "n_frames", 1)):
            video.seek(index)
            frames.append(np.asarray(video.convert("RGB")))
    return frames


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# -- files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".GIF"])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_save_writes_all_frames(tmp_path: Path, suffix: str, count: int) -> None:
    path = tmp_path / f"video{suffix}"
    frames = maze_frames(count)
    Animation(frames, fps=10).save(path)
    saved = read_frames(path)
    assert len(saved) == count
    tolerance = 0 if suffix == ".png" else 24  # a GIF has 256 colors
    for one, other in zip(frames, saved, strict=True):
        assert abs(one.astype(int) - other).max() <= tolerance
    assert leftovers(tmp_path) == [path.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_save_distinct_frames(tmp_path: Path, suffix: str) -> None:
    colors = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
    frames = [np.full((5, 3, 3), color, dtype=np.uint8) for color in colors]
    Animation(frames).save(tmp_path / f"video{suffix}")
    assert [tuple(f[2, 1]) for f in read_frames(tmp_path / f"video{suffix}")] == colors


@pytest.mark.parametrize(
    ("suffix", "fps"), [(".gif", 30), (".gif", 7), (".png", 30), (".png", 0.4)]
)
def test_save_keeps_duration(tmp_path: Path, suffix: str, fps: float) -> None:
    path = tmp_path / f"video{suffix}"
    Animation(maze_frames(7), fps=fps).save(path)
    milliseconds = 0.0
    with Image.open(path) as video:
        assert video.info.get("loop", 0) == 0, "without end"
        for index in range(7):
            video.seek(index)
            milliseconds += video.info["duration"]
    assert milliseconds == pytest.approx(7000 / fps, abs=10)


def gradients(count: int) -> list[Frame]:
    """Return frames with more colors than a GIF's table holds, of which a part changes."""
    rows, cols = np.indices((40, 60))
    ramp = np.stack([rows * 6, cols * 4, (rows + cols) * 2], axis=2).astype(np.uint8)
    frames = [ramp.copy() for _ in range(count)]
    for number, frame in enumerate(frames):
        frame[10:20, 5 * number : 5 * number + 12] = (40 * number % 256, 255 - 30 * number, 90)
    return frames


def test_gif_shares_color_table(tmp_path: Path) -> None:
    path = tmp_path / "video.gif"
    frames = gradients(6)
    Animation(frames).save(path)
    for one, other in zip(frames, read_frames(path), strict=True):
        assert abs(one.astype(int) - other).max() <= LARGEST_ERROR
    Animation([*frames, *[frames[-1]] * 100]).save(tmp_path / "still.gif")
    grown = (tmp_path / "still.gif").stat().st_size - path.stat().st_size
    assert grown < 100 * 30  # an unchanged frame takes some bytes, and no table


def test_gif_of_noise_has_own_tables(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 256, (80, 90, 3), dtype=np.uint8) for _ in range(2)]
    frames = [*gradients(1), np.zeros((40, 60, 3), np.uint8)]
    films = {"noise": noise, "mixed": [*frames, noise[0][:40, :60], frames[0], frames[1]]}
    for name, film in films.items():
        Animation(film).save(tmp_path / f"{name}.gif")
        for one, other in zip(film, read_frames(tmp_path / f"{name}.gif"), strict=True):
            assert abs(one.astype(int) - other).mean() < 16


def test_gif_limits_frame_rate(tmp_path: Path) -> None:
    Animation(maze_frames(2), fps=1000).save(tmp_path / "video.gif")
    with Image.open(tmp_path / "video.gif") as video:
        assert video.info["duration"] == 20


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of its reader
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("shape", [(48, 64), (33, 47)])
def test_mp4_has_even_size(tmp_path: Path, shape: tuple[int, int]) -> None:
    pytest.importorskip("moviepy")
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    frames = [np.full((*shape, 3), 20 * i, dtype=np.uint8) for i in range(8)]
    Animation(frames, fps=4).save(tmp_path / "video.mp4")
    reader = ffmpeg.read_frames(str(tmp_path / "video.mp4"))
    meta = next(reader)
    decoded = [np.frombuffer(frame, np.uint8) for frame in reader]
    assert meta["size"] == (shape[1] + shape[1] % 2, shape[0] + shape[0] % 2)
    assert meta["fps"] == 4
    assert [abs(float(frame.mean()) - 20 * i) < 6 for i, frame in enumerate(decoded)] == [True] * 8
    assert leftovers(tmp_path) == ["video.mp4"]


def test_mp4_requires_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(ImportError, match=r'pip install "dynamaze\[video\]"'):
        Recorder(tmp_path / "video.mp4")


# -- atomic files ---------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_recorder_renames_on_close(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"video{suffix}"
    path.write_bytes(b"old")
    recorder = Recorder(path, fps=10)
    for frame in maze_frames(3):
        recorder.add(frame)
    assert path.read_bytes() == b"old"
    recorder.close()
    recorder.close()
    assert len(read_frames(path)) == recorder.num_frames == 3
    assert leftovers(tmp_path) == [path.name]


KILLED = """
import os, sys
import numpy as np
from dynamaze.envs.rendering import Recorder
recorder = Recorder(sys.argv[1], fps=10)
for shade in range(50):
    recorder.add(np.full((64, 64, 3), shade, dtype=np.uint8))
os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_killed_recording_leaves_temporary_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"video{suffix}"
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert killed.returncode != 0
    assert not path.exists()
    assert all(TEMPORARY.fullmatch(name) for name in leftovers(tmp_path))
    Animation(maze_frames(2)).save(path)
    assert len(read_frames(path)) == 2


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_recorder_keeps_frames_before_error(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"video{suffix}"

    def record() -> None:
        with Recorder(path) as recorder:
            for frame in maze_frames(3):
                recorder.add(frame)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record()
    assert len(read_frames(path)) == 3


def test_failed_write_keeps_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "video.gif"
    path.write_bytes(b"old")
    recorder = Recorder(path)
    recorder.add(maze_frames(1)[0])

    def full_disk(*_: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(recorder._file, "add", full_disk)
    with pytest.raises(OSError, match="no space left"):
        recorder.add(maze_frames(1)[0])
    with pytest.raises(RuntimeError, match=r"add\(\) after close\(\)"):
        recorder.add(maze_frames(1)[0])
    recorder.close()
    assert path.read_bytes() == b"old"
    assert leftovers(tmp_path) == ["video.gif"]


def test_discard_leaves_no_file(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "video.gif")
    recorder.add(maze_frames(1)[0])
    recorder.discard()
    assert leftovers(tmp_path) == []


def test_recorder_without_frames_no_file(tmp_path: Path) -> None:
    with Recorder(tmp_path / "video.gif"):
        pass
    assert leftovers(tmp_path) == []


def test_recorder_memory_is_bounded(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    with Recorder(tmp_path / "video.png") as recorder:
        recorder.add(frame)
        tracemalloc.start()
        for index in range(300):
            frame[index % 64] = index % 256  # the caller may use one array again and again
            recorder.add(frame)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 20 * frame.nbytes
    assert recorder.num_frames == 301
    np.testing.assert_array_equal(read_frames(recorder.path)[-1], frame)


# -- wrong input -----------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [Recorder, lambda path: Animation(maze_frames(1)).save(path)])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "video.gfi",
            r"path suffix='\.gfi'; expected one of .*; did you mean '\.gif'\?",
        ),
        ("video", r"path suffix=''; expected one of \['\.gif', '\.png', '\.mp4'\]"),
    ],
)
def test_rejects_unknown_suffix(tmp_path: Path, make: Any, name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(tmp_path / name)


def test_recorder_rejects_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere"):
        Recorder(tmp_path / "nowhere" / "video.gif")


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf"), 1001])
def test_rejects_invalid_fps(tmp_path: Path, fps: float) -> None:
    for make in (lambda: Recorder(tmp_path / "a.gif", fps), lambda: Animation(maze_frames(1), fps)):
        with pytest.raises(ValueError, match=r"fps=.*; expected a number in \[0.01, 1000\]"):
            make()


def test_rejects_unequal_frame_sizes(tmp_path: Path) -> None:
    frames = [np.zeros((4, 6, 3), np.uint8), np.zeros((4, 5, 3), np.uint8)]
    message = r"frame 1: 4x5 pixels; expected 4x6, as the first"
    with pytest.raises(ValueError, match=message):
        Animation(frames)
    with Recorder(tmp_path / "video.gif") as recorder:
        recorder.add(frames[0])
        with pytest.raises(ValueError, match=message):
            recorder.add(frames[1])
        recorder.add(frames[0])
    assert len(read_frames(tmp_path / "video.gif")) == 2


def test_animation_rejects_invalid_frames() -> None:
    with pytest.raises(ValueError, match=r"frame: float64 array of shape \(4, 4, 3\); expected"):
        Animation([np.zeros((4, 4, 3))])  # type: ignore[list-item]  # that is the point
    with pytest.raises(ValueError, match="frames: none; expected at least one"):
        Animation([])


# -- notebooks -------------------------------------------------------------------------------------


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in ("img", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_html_has_frames_and_controls() -> None:
    frames = maze_frames(5)
    page = Animation(frames, fps=8)._repr_html_()
    tags = Tags(page)
    assert tags.open == []
    assert [tag for tag, _ in tags.seen] == [
        "div", "img", "div", "button", "input", "output", "script",
    ]  # fmt: skip
    listed = re.search(r"const frames = (\[.*?\]);", page)
    assert listed is not None
    encoded = json.loads(listed[1])
    for one, text in zip(frames, encoded, strict=True):
        picture = Image.open(BytesIO(base64.b64decode(text)))
        np.testing.assert_array_equal(np.asarray(picture), one)
    assert dict(tags.seen)["img"]["src"] == f"data:image/png;base64,{encoded[0]}"
    assert dict(tags.seen)["input"]["max"] == "4"
    assert "setInterval(next, 125)" in page


def test_html_is_self_contained() -> None:
    animation = Animation(maze_frames(2))
    one, other = animation._repr_html_(), animation._repr_html_()
    assert "http" not in one
    assert set(re.findall(r'(?:src|href)="([^,]+),', one)) == {"data:image/png;base64"}
    name = re.search(r'<div id="([^"]+)"', one)
    assert name is not None
    assert name[1] not in other


def test_animation_copies_frames() -> None:
    frames = maze_frames(2)
    expected = frames[0].copy()
    animation = Animation(iter(frames))
    frames[0][:] = 0
    assert len(animation) == 2
    np.testing.assert_array_equal(animation.frames[0], expected)
    with pytest.raises(ValueError, match="read-only"):
        animation.frames[0][:] = 0


def test_rendering_import_loads_no_libraries() -> None:
    code = (
        "import sys, dynamaze.envs.rendering\n"
        "assert not {'PIL', 'pygame', 'moviepy', 'imageio_ffmpeg', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
