"""Makes `golden_frame.txt`, the pixels that test_frame.py expects.

Run it after a wanted change of the looks, and look at the picture before committing its pixels:

    python tests/envs/rendering/make_golden.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dynamaze.envs.rendering import FramePainter, Scene

GOLDEN = Path(__file__).with_name("golden_frame.txt")


def golden_scene() -> Scene:
    """Set up one of each: a maze of 3x4 cells with everything in it that can be drawn."""
    walls = np.array([[0, 1, 1, 0], [0, 0, 1, 0], [0, 0, 0, 0]], dtype=np.bool_)
    changed = np.zeros((3, 4), dtype=np.bool_)
    changed[1, 2] = changed[1, 3] = True
    return Scene(
        walls=walls,
        starts=((0, 0),),
        goals=((0, 3),),
        agent=(2, 2),
        trail=((0, 0), (1, 0), (2, 0), (2, 1)),
        changed=changed,
        changed_strength=0.75,
    )


def golden_text() -> str:
    """Paint the scene with 8 pixels to a cell: one line for a row of pixels, RRGGBB for each."""
    frame = FramePainter(3, 4, cell_size=8).paint(golden_scene())
    return "".join(" ".join(bytes(pixel).hex() for pixel in row) + "\n" for row in frame)


if __name__ == "__main__":
    GOLDEN.write_text(golden_text(), encoding="ascii")
