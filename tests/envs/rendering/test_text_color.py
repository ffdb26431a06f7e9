"""Mazes as text in 24-bit colors."""

from __future__ import annotations

import re

import numpy as np
import pytest

from dynamaze.envs.mazes.layout import Cell
from dynamaze.envs.rendering import Scene, scene_to_color_text
from dynamaze.envs.rendering.colors import APPEARED, OPENED

from .scenes import SHAPE, scene

Shown = tuple[str, tuple[int, ...]]  # the two letters of a cell and its background


def read_cells(scene: Scene) -> dict[Cell, Shown]:
    """Read the letters and backgrounds of the cells, as a terminal would."""
    cells: dict[Cell, Shown] = {}
    for row, line in enumerate(scene_to_color_text(scene).split("\n")):
        background: tuple[int, ...] | None = None
        letters: list[str] = []
        for code, letter in re.findall(r"\x1b\[([0-9;]*)m|(.)", line):
            if code.startswith("48;2;"):
                background = tuple(int(n) for n in code.split(";")[2:])
            elif letter:
                assert background is not None
                letters.append(letter)
                if len(letters) % 2 == 0:
                    cells[row, len(letters) // 2 - 1] = ("".join(letters[-2:]), background)
    return cells


def test_color_text_line_format() -> None:
    text = scene_to_color_text(scene(values=np.arange(12)))
    lines = text.split("\n")
    assert len(lines) == 3
    assert all(line.endswith("\x1b[0m") for line in lines)
    assert all(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) == 8 for line in lines)
    assert len(read_cells(scene())) == 12


def test_color_text_letters_and_walls() -> None:
    found = read_cells(scene()._replace(trail=((2, 0), (2, 1))))
    assert [found[cell][0][0] for cell in ((2, 2), (0, 3), (0, 0), (2, 1))] == ["A", "G", "S", "·"]
    assert found[1, 1][1] == found[1, 2][1] != found[1, 0][1] == found[0, 1][1]


def test_color_text_values_as_background() -> None:
    values = np.arange(12.0).reshape(SHAPE)
    values[2, 0] = np.nan
    found, plain = read_cells(scene(values=values)), read_cells(scene())
    assert found[0, 0][1] == (68, 1, 84)
    assert found[2, 3][1] == (253, 231, 37)
    assert found[2, 0] == plain[2, 0]
    assert found[1, 1] == plain[1, 1]


def test_color_text_best_action_as_background() -> None:
    q = np.zeros((*SHAPE, 4))
    q[2, 3, 1] = 1.0
    found = read_cells(scene(q=q))
    assert found[2, 3] == (" →", (253, 231, 37))


def test_color_text_policy_arrows() -> None:
    policy = np.zeros((*SHAPE, 4))
    policy[2] = np.eye(4)
    policy[0, 3] = (1, 0, 0, 0)
    found = read_cells(scene(policy=policy))
    assert "".join(found[2, col][0][1] for col in range(4)) == "↑→↓←"
    assert found[0, 3][0] == "G ", "no action is chosen on a goal"
    assert found[1, 0][0] == "  "


@pytest.mark.parametrize("name", ["visits", "tree"])
def test_color_text_count_bars(name: str) -> None:
    counts = np.zeros(SHAPE)
    counts[2] = (0, 1, 30, 1000)
    found = read_cells(scene(**{name: counts}))
    bars = [found[2, col][0][1] for col in range(4)]
    assert bars[0] == " "
    assert bars[1] < bars[2] < bars[3] == "█"
    assert len({found[2, col][1] for col in range(4)}) == 4


def test_color_text_marks() -> None:
    belief = scene().walls.astype(float)
    belief[2] = (np.nan, 1.0, 0.0, 0.0)
    belief[1, 1] = 0.0
    found = read_cells(scene(belief=belief))
    assert [found[cell][0][0] for cell in ((2, 0), (2, 1), (1, 1), (2, 3))] == ["?", "×", "×", " "]
    changed = np.zeros(SHAPE, dtype=np.bool_)
    changed[1, 1] = changed[2, 0] = True
    found = read_cells(scene(planned=[[11, 0]])._replace(changed=changed))
    assert [found[cell][0][0] for cell in ((1, 1), (2, 0), (2, 3))] == ["+", "-", "*"]
    assert found[1, 1][1] == APPEARED
    assert found[2, 0][1] == OPENED


def test_color_text_omits_hidden() -> None:
    full = scene(values=np.arange(12), visits=np.arange(12))._replace(trail=((2, 0),))
    hidden = full._replace(overlays=full.overlays.only([]))
    assert scene_to_color_text(hidden) == scene_to_color_text(scene())


def test_color_text_contrast() -> None:
    text = scene_to_color_text(scene(values=np.arange(12)))
    for red, green, blue, ink in re.findall(r"48;2;(\d+);(\d+);(\d+)m\x1b\[38;2;(\d+)", text):
        brightness = (2 * int(red) + 5 * int(green) + int(blue)) / 8
        assert abs(brightness - int(ink)) > 100


def test_rejects_invalid_scene() -> None:
    with pytest.raises(ValueError, match=r"goals: cell \(9, 9\) is outside the 3x4 maze"):
        scene_to_color_text(scene()._replace(goals=((9, 9),)))
