"""What a window shows: the picture, the strip and the help, and which cell is where."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from dynamaze.viewer import layout as module
from dynamaze.viewer.environment import BLANK, Camera, fitting_cell
from dynamaze.viewer.layout import STRIP, STRIP_HEIGHT, Stage, Status, paint_strip
from dynamaze.viewer.session import HELP
from dynamaze.viewer.text import PLAIN, Sheet, fitted, text_width
from dynamaze.viewer.walk import HELP as WALK_HELP

FIELDS = [(name, "1,234,567") for name in ("episode", "world step", "return", "regret")]


@pytest.mark.parametrize(
    ("rows", "cols", "size"),
    [(6, 9, 64), (15, 15, 48), (51, 51, 14), (1, 3, 64), (300, 300, 2), (2000, 2000, 1)],
)
def test_a_maze_is_as_large_as_there_is_room(rows: int, cols: int, size: int) -> None:
    assert fitting_cell(rows, cols, (960, 720)) == size


def test_a_maze_is_painted_sharply_and_its_cells_are_found() -> None:
    env = gym.make("DynaMaze-v0", render_mode="rgb_array")
    env.reset(seed=1)
    camera = Camera(env, (960, 720))
    assert camera.shoot().shape == (6 * 64, 9 * 64, 3)
    assert camera.cell_at(0, 0) == (0, 0)
    assert camera.cell_at(9 * 64 - 1, 6 * 64 - 1) == (5, 8)
    assert camera.cell_at(-1, 0) is camera.cell_at(9 * 64, 0) is camera.cell_at(0, 6 * 64) is None


def test_other_environments_are_magnified_by_whole_numbers() -> None:
    class Tiny(gym.Env[Any, Any]):
        metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012  # Gymnasium's own declaration
        render_mode = "rgb_array"
        picture: Any = np.zeros((20, 30, 3), dtype=np.uint8)

        def render(self) -> Any:
            return self.picture

    env = Tiny()
    camera = Camera(env, (100, 100))
    assert camera.shoot().shape == (60, 90, 3)
    assert camera.cell_at(3, 3) is None
    env.picture = None
    assert camera.shoot() is BLANK


@pytest.mark.parametrize("size", [(64, 192), (385, 577), (20, 20)])
def test_the_picture_stands_in_the_middle_above_the_strip(size: tuple[int, int]) -> None:
    stage = Stage((560, 320))
    picture = np.full((*size, 3), 200, dtype=np.uint8)
    frame = stage.compose(picture, Status(FIELDS))
    height, width = frame.shape[:2]
    assert (height % 2, width % 2) == (0, 0)
    assert width == max(560, size[1] + size[1] % 2)
    assert height == max(320, size[0] + size[0] % 2) + STRIP_HEIGHT
    x, y = stage.origin
    np.testing.assert_array_equal(frame[y : y + size[0], x : x + size[1]], picture)
    assert frame[height - 1, 0].tolist() == list(STRIP)


def test_the_strip_tells_its_fields_the_note_and_that_it_records() -> None:
    plain = paint_strip(560, Status(FIELDS))
    assert not np.array_equal(plain, paint_strip(560, Status(FIELDS, "a note")))
    assert not np.array_equal(plain, paint_strip(560, Status(FIELDS, "", "H: keys")))
    recording = paint_strip(560, Status(FIELDS, recording=True))
    red = (recording == module.RECORDING).all(axis=2)
    assert red.sum() > 20
    assert not (plain == module.RECORDING).all(axis=2).any()


def test_a_long_note_ends_before_what_stands_at_the_right() -> None:
    text = "a long note " * 20
    shown = fitted(text, (PLAIN, 12), 200)
    assert shown.endswith("...")
    assert text_width(shown, (PLAIN, 12)) <= 200
    assert fitted("short", (PLAIN, 12), 200) == "short"


@pytest.mark.parametrize("lines", [HELP, WALK_HELP])
def test_the_help_fits_the_smallest_window(lines: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[tuple[str, int, int]] = []
    write = Sheet.write

    def note(self: Sheet, text: str, at: tuple[int, int], font: Any, color: Any) -> int:
        end = write(self, text, at, font, color)
        written.append((text, end, at[1]))
        return end

    monkeypatch.setattr(Sheet, "write", note)
    module.paint_help(np.zeros((320, 560, 3), dtype=np.uint8), lines)
    assert len(written) > len(lines)
    for text, end, y in written:
        assert not text.endswith("..."), text
        assert (end <= 560, y <= 300) == (True, True), text


def test_letters_are_there_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    import dynamaze.viewer.text as text

    monkeypatch.setattr(text, "find_spec", lambda name: None)
    text._load.cache_clear()
    assert text_width("regret", (PLAIN, 12)) > 20
    text._load.cache_clear()


def test_letters_are_there_after_pygame_was_shut_down() -> None:
    import pygame

    before = paint_strip(560, Status(FIELDS))
    pygame.quit()
    np.testing.assert_array_equal(paint_strip(560, Status(FIELDS)), before)
