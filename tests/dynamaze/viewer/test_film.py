"""Films of what is shown, at whatever times."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dynamaze.viewer import recording as module
from dynamaze.viewer.recording import Film, Studio, new_path


def frame(shade: int) -> np.ndarray:  # type: ignore[type-arg]  # uint8
    return np.full((4, 6, 3), shade, dtype=np.uint8)


def shades(path: Path) -> list[int]:
    """The grey of each frame of a GIF."""
    with Image.open(path) as image:
        number = image.n_frames  # type: ignore[attr-defined]
        found = []
        for index in range(number):
            image.seek(index)
            found.append(int(np.asarray(image.convert("L"))[0, 0]))
    return found


def test_a_frame_lasts_as_long_as_it_was_shown(tmp_path: Path) -> None:
    film = Film(tmp_path / "a.gif")
    for shade, now in ((10, 0.0), (20, 0.1), (30, 0.2)):
        film.show(frame(shade), now)
    film.close()
    assert shades(film.path) == [10] * 3 + [20] * 3 + [30]


def test_at_its_own_rate_each_frame_is_there_once(tmp_path: Path) -> None:
    film = Film(tmp_path / "a.gif")
    times = np.arange(20) / 30 + np.resize([0.0, 0.004, -0.003], 20)
    for shade, now in enumerate(times):
        film.show(frame(shade), float(now))
    film.close()
    assert shades(film.path) == list(range(20))


def test_what_comes_too_fast_is_thinned_and_pauses_are_cut_short(tmp_path: Path) -> None:
    film = Film(tmp_path / "a.gif")
    film.show(frame(1), 0.0)
    assert not film.is_due(0.01)
    assert film.is_due(1 / 30)
    for shade in range(2, 102):
        film.show(frame(shade), shade / 300)
    film.show(frame(200), 60.0)
    film.close()
    found = shades(film.path)
    assert len(found) == 10 + 30 + 1
    assert found[-31:] == [101] * 30 + [200]


def test_a_film_without_frames_is_no_file(tmp_path: Path) -> None:
    studio = Studio()
    studio.record(tmp_path / "a.gif")
    assert studio.stop() == "nothing was recorded"
    assert list(tmp_path.iterdir()) == []
    assert studio.stop() == ""


def test_a_forgotten_film_ends_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_FILM", 0.5)
    studio = Studio()
    studio.record(tmp_path / "a.gif")
    told = [studio.show(frame(1), now / 4) for now in range(4)]
    assert told == ["", "", f"saved {tmp_path / 'a.gif'}", ""]
    assert studio.saved == [tmp_path / "a.gif"]


def test_names_are_not_taken_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module.time, "strftime", lambda form: "dynamaze-now")
    studio = Studio()
    for _ in range(3):
        studio.save_picture(frame(1))
    assert [str(path) for path in studio.saved] == [
        "dynamaze-now.png",
        "dynamaze-now-2.png",
        "dynamaze-now-3.png",
    ]
    assert new_path("gif") == Path("dynamaze-now.gif")


def test_what_cannot_be_written_is_told_and_watching_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.chdir(tmp_path)
    studio = Studio()
    studio.record(tmp_path / "a.gif")
    studio.show(frame(1), 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(module.Recorder, "add", fail)
        assert studio.show(frame(2), 1.0) == "the film is lost: disk full"
        patch.setattr(module, "write_atomically", fail)
        assert studio.save_picture(frame(1)) == "no picture: disk full"
    assert studio.film is None
    assert studio.toggle() == "recording; V ends it"
    studio.show(frame(1), 0.0)
    assert studio.toggle().startswith("saved dynamaze-")
