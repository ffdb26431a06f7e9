"""The colors of the maze, each an (R, G, B) triple from 0 to 255."""

from __future__ import annotations

Color = tuple[int, int, int]

FLOOR: Color = (246, 242, 233)
FLOOR_GROOVE: Color = (229, 223, 210)
SHADOW: Color = (58, 52, 66)

WALL_TOP: Color = (92, 107, 135)
WALL_RIM: Color = (124, 139, 166)
WALL_FRONT: Color = (57, 68, 92)

START_RING: Color = (46, 157, 150)
START_PAD: Color = (196, 231, 225)

GOAL_STAR: Color = (252, 196, 54)
GOAL_SHINE: Color = (255, 222, 125)
GOAL_EDGE: Color = (196, 128, 22)

AGENT: Color = (233, 84, 84)
AGENT_SHINE: Color = (246, 134, 126)
AGENT_EDGE: Color = (255, 255, 255)
EYE: Color = (255, 255, 255)
PUPIL: Color = (43, 36, 54)

APPEARED: Color = (255, 150, 28)
OPENED: Color = (38, 170, 92)

ARROW: Color = (32, 26, 44)
HALO: Color = (255, 255, 255)
VISITS: Color = (30, 120, 214)
TRACK: Color = (22, 30, 52)
TREE: Color = (120, 60, 220)
PLANNED: Color = (255, 140, 0)
PLANNED_EDGE: Color = (70, 34, 0)
RIGHT: Color = (0, 134, 145)
WRONG: Color = (216, 27, 120)
UNSURE: Color = (150, 146, 158)
UNSURE_EDGE: Color = (96, 92, 106)
