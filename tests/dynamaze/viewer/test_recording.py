"""Videos of frames shown at arbitrary times, and screenshots."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dynamaze.viewer import recording as module
from dynamaze.viewer.recording import (
    EXACT_FRAMES,
    INVISIBLE,
    ConstantRateVideo,
    VideoRecorder,
    keep_similar,
    new_path,
)


def frame(shade: int) -> np.ndarray:  # type: ignore[type-arg]  # uint8
    return np.full((4, 6, 3), shade, dtype=np.uint8)


def shades(path: Path) -> list[int]:
    """Return the grey level of each frame of a GIF."""
    with Image.open(path) as image:
        number = image.n_frames  # type: ignore[attr-defined]
        found = []
        for index in range(number):
            image.seek(index)
            found.append(int(np.asarray(image.convert("L"))[0, 0]))
    return found


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a video show every difference, so that each frame is known by its shade."""
    monkeypatch.setattr(module, "INVISIBLE", 0)


@pytest.mark.usefixtures("exact")
def test_video_frame_durations(tmp_path: Path) -> None:
    video = ConstantRateVideo(tmp_path / "a.gif")
    for shade, now in ((10, 0.0), (20, 0.1), (30, 0.2)):
        video.show(frame(shade), now)
    video.close()
    assert shades(video.path) == [10] * 3 + [20] * 3 + [30]


@pytest.mark.usefixtures("exact")
def test_video_at_own_rate(tmp_path: Path) -> None:
    video = ConstantRateVideo(tmp_path / "a.gif")
    times = np.arange(20) / 30 + np.resize([0.0, 0.004, -0.003], 20)
    for shade, now in enumerate(times):
        video.show(frame(shade), float(now))
    video.close()
    assert shades(video.path) == list(range(20))


@pytest.mark.usefixtures("exact")
def test_video_drops_frames_and_cuts_pauses(tmp_path: Path) -> None:
    video = ConstantRateVideo(tmp_path / "a.gif")
    video.show(frame(1), 0.0)
    assert not video.is_due(0.01)
    assert video.is_due(1 / 30)
    for shade in range(2, 102):
        video.show(frame(shade), shade / 300)
    video.show(frame(200), 60.0)
    video.close()
    found = shades(video.path)
    assert len(found) == 10 + 30 + 1
    assert found[-31:] == [101] * 30 + [200]


def test_video_pixels_are_nearly_exact(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    drawn: np.ndarray | None = None  # type: ignore[type-arg]  # uint8
    drifting = np.full((40, 60, 3), 128, dtype=np.int64)
    for _ in range(20):
        drifting += rng.integers(-20, 21, drifting.shape)
        new = np.clip(drifting, 0, 255).astype(np.uint8)
        before, drawn = drawn, keep_similar(drawn, new)
        assert np.abs(drawn.astype(int) - new).max() <= INVISIBLE
        if before is not None:
            same = (drawn == before).all(axis=2)
            near = (np.abs(new.astype(int) - before) <= INVISIBLE).all(axis=2)
            assert same[near].all()
            np.testing.assert_array_equal(drawn[~near], new[~near])
    assert keep_similar(drawn, new[:10]).shape == (10, 60, 3)


def test_video_is_exact_now_and_then(tmp_path: Path) -> None:
    video = ConstantRateVideo(tmp_path / "a.png")
    for index in range(EXACT_FRAMES + 2):
        video.show(frame(100 + index % 10), index / 30)
    video.close()
    with Image.open(video.path) as image:
        found = []
        for index in range(image.n_frames):  # type: ignore[attr-defined]
            image.seek(index)
            found.append(int(np.asarray(image.convert("L"))[0, 0]))
    assert found == [100] * EXACT_FRAMES + [100 + EXACT_FRAMES % 10] * 2


def test_video_without_frames_no_file(tmp_path: Path) -> None:
    recorder = VideoRecorder()
    recorder.start(tmp_path / "a.gif")
    assert recorder.stop() == "nothing was recorded"
    assert list(tmp_path.iterdir()) == []
    assert recorder.stop() == ""


def test_video_ends_at_longest_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_VIDEO", 0.5)
    recorder = VideoRecorder()
    recorder.start(tmp_path / "a.gif")
    messages = [recorder.show(frame(1), now / 4) for now in range(4)]
    assert messages == ["", "", f"saved {tmp_path / 'a.gif'}", ""]
    assert recorder.saved == [tmp_path / "a.gif"]


def test_new_path_is_unused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module.time, "strftime", lambda form: "dynamaze-now")
    recorder = VideoRecorder()
    for _ in range(3):
        recorder.save_screenshot(frame(1))
    assert [str(path) for path in recorder.saved] == [
        "dynamaze-now.png",
        "dynamaze-now-2.png",
        "dynamaze-now-3.png",
    ]
    assert new_path("gif") == Path("dynamaze-now.gif")


def test_recorder_reports_write_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.chdir(tmp_path)
    recorder = VideoRecorder()
    recorder.start(tmp_path / "a.gif")
    recorder.show(frame(1), 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(module.Recorder, "add", fail)
        assert recorder.show(frame(2), 1.0) == "the video is lost: disk full"
        patch.setattr(module, "write_atomically", fail)
        assert recorder.save_screenshot(frame(1)) == "no picture: disk full"
    assert recorder.video is None
    assert recorder.toggle() == "recording; V ends it"
    recorder.show(frame(1), 0.0)
    assert recorder.toggle().startswith("saved dynamaze-")
