"""Mazes as text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamaze.envs.mazes.layout import Cell
from dynamaze.envs.rendering import Scene, scene_to_text


def blocking_maze(agent: Cell | None) -> Scene:
    walls = np.zeros((6, 9), dtype=np.bool_)
    walls[3, 1:] = True
    return Scene(walls, starts=((5, 3),), goals=((0, 8),), agent=agent, trail=((4, 4),))


def test_text_letters_of_cells() -> None:
    assert scene_to_text(blocking_maze(agent=(4, 0))) == "\n".join(
        [
            "........G",
            ".........",
            ".........",
            ".########",
            "A........",
            "...S.....",
        ]
    )


@pytest.mark.parametrize("agent", [(5, 3), (0, 8), (3, 4), (2, 2)])
def test_text_agent_on_top(agent: Cell) -> None:
    lines = scene_to_text(blocking_maze(agent)).split("\n")
    assert lines[agent[0]][agent[1]] == "A"
    assert "".join(lines).count("A") == 1


def test_text_without_agent() -> None:
    text = scene_to_text(blocking_maze(agent=None))
    assert (text.count("S"), text.count("G"), text.count("A")) == (1, 1, 0)


def test_text_several_starts_and_goals() -> None:
    walls = np.zeros((1, 4), dtype=np.bool_)
    assert scene_to_text(Scene(walls, ((0, 0), (0, 1)), ((0, 2), (0, 3)), None)) == "SSGG"


@given(rows=st.integers(1, 5), cols=st.integers(1, 5), data=st.data())
def test_text_one_character_per_cell(rows: int, cols: int, data: st.DataObject) -> None:
    cells = st.lists(st.booleans(), min_size=rows * cols, max_size=rows * cols)
    walls = np.array(data.draw(cells), dtype=np.bool_).reshape(rows, cols)
    lines = scene_to_text(Scene(walls, (), (), None)).split("\n")
    assert [[letter == "#" for letter in line] for line in lines] == walls.tolist()
