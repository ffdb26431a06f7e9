"""Mazes as SVG documents."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from dynamaze.envs.rendering import Overlays, Scene, scene_to_svg

from .scenes import SHAPE, everything, scene

SPACE = "{http://www.w3.org/2000/svg}"


def groups(scene: Scene) -> dict[str, ET.Element]:
    root = ET.fromstring(scene_to_svg(scene))
    return {g.attrib["class"]: g for g in root.iter() if "class" in g.attrib}


def definitions(scene: Scene) -> dict[str, ET.Element]:
    root = ET.fromstring(scene_to_svg(scene))
    return {e.attrib["id"].removeprefix("dynamaze-"): e for e in root.iter() if "id" in e.attrib}


def drawn(group: ET.Element) -> list[tuple[str, float, float]]:
    """Symbols used in a group: name, row, column."""
    return [
        (use.attrib["href"].removeprefix("#dynamaze-"), float(use.attrib["y"]),
         float(use.attrib["x"]))
        for use in group.iter(f"{SPACE}use")
    ]  # fmt: skip


def test_svg_has_requested_size() -> None:
    root = ET.fromstring(scene_to_svg(scene(), cell_size=20))
    assert root.tag == f"{SPACE}svg"
    assert (root.attrib["width"], root.attrib["height"]) == ("80", "60")
    assert root.attrib["viewBox"] == "0 0 4 3"


def test_svg_groups_have_names() -> None:
    full = scene(**everything())._replace(trail=((2, 0), (2, 1)), changed=np.ones(SHAPE, np.bool_))
    assert set(groups(full)) == {
        "shadows", "walls", "starts", "goals", "trail", "changed", "lift", "agent", *everything(),
    }  # fmt: skip
    plain = {"shadows", "walls", "starts", "goals", "agent"}
    assert set(groups(scene())) == plain
    assert set(groups(full._replace(overlays=full.overlays.only([])))) == plain


def test_svg_defines_exactly_used_symbols() -> None:
    for one in (scene(), scene(**everything())):
        root = ET.fromstring(scene_to_svg(one))
        used = {use.attrib["href"][1:] for use in root.iter(f"{SPACE}use")}
        references = re.findall(r"url\(#([^)]+)\)", scene_to_svg(one))
        defined = Counter(e.attrib["id"] for e in root.iter() if "id" in e.attrib)
        assert defined == Counter([*used, *references])


def test_svg_is_self_contained() -> None:
    text = scene_to_svg(scene(**everything())).replace("http://www.w3.org/2000/svg", "")
    assert "http" not in text
    assert "<script" not in text
    assert set(re.findall(r"url\((.)", text)) == {"#"}


def test_svg_joins_wall_runs() -> None:
    outlines = [path.attrib["d"] for path in groups(scene())["walls"]]
    assert outlines == ["M1 1h2v1h-2z", "M1 1h2v0.8h-2z"]


def test_svg_border_wall_without_front() -> None:
    walls = np.zeros((2, 2), dtype=np.bool_)
    walls[1, 0] = True
    found = groups(Scene(walls, (), (), None))
    assert [path.attrib["d"] for path in found["walls"]] == ["M0 1h1v1h-1z"] * 2


def test_svg_positions_of_marks() -> None:
    found = groups(scene()._replace(trail=((2, 0), (2, 1))))
    assert drawn(found["starts"]) == [("start", 0, 0)]
    assert drawn(found["goals"]) == [("goal", 0, 3)]
    assert drawn(found["trail"]) == [("dot", 2, 1), ("dot", 2, 0)]
    opacity = [float(dot.attrib["opacity"]) for dot in found["trail"]]
    assert opacity[0] > opacity[1]
    assert drawn(found["agent"]) == [("agent_0_1", 2, 2)], "it looks to the right"
    moved = groups(scene()._replace(position=(2.25, 1.75)))["agent"]
    assert drawn(moved) == [("agent_0_0", 1.75, 1.25)]


def test_svg_path_replaces_dots() -> None:
    trail = groups(scene()._replace(trail=((2, 0),), path=((0.5, 0.5), (1, 1), (2, 1))))["trail"]
    assert [line.attrib["d"] for line in trail] == ["M0.5 0.5L1 1", "M1 1L1 2"]


def test_svg_distinguishes_appeared_and_opened() -> None:
    changed = np.zeros(SHAPE, dtype=np.bool_)
    changed[1, 1] = changed[2, 0] = True
    group = groups(scene()._replace(changed=changed, changed_strength=0.5))["changed"]
    assert drawn(group) == [("appeared", 1, 1), ("opened", 2, 0)]
    assert [use.attrib["opacity"] for use in group] == ["0.5", "0.5"]


def test_svg_values_color_floor() -> None:
    values = np.arange(12.0).reshape(SHAPE)
    values[2, 0] = np.nan
    cells = drawn(groups(scene(values=values))["values"])
    assert cells == [
        ("value", r, c)
        for r, c in np.argwhere(~scene().walls)
        if (r, c) not in ((2, 0), (0, 3))  # without a value, and the goal
    ]
    fills = [use.attrib["fill"] for use in groups(scene(values=values))["values"]]
    assert (fills[0], fills[-1]) == ("#440154", "#fde725")


def test_svg_shapes_of_values() -> None:
    found = groups(scene(**everything()))
    assert Counter(name for name, *_ in drawn(found["q"])) == {f"outer-q{a}": 9 for a in range(4)}
    assert {name for name, *_ in drawn(found["values"])} == {"hub"}


def test_svg_arrows_rotated_and_scaled() -> None:
    policy = np.zeros((*SHAPE, 4))
    policy[2, 0] = (0, 0.75, 0.25, 0)
    shown = scene(policy=policy)
    right, down = groups(shown)["policy"]
    assert right.attrib["transform"] == "rotate(90 0.5 2.5)"
    assert down.attrib["transform"] == "rotate(180 0.5 2.5)"
    tips = []
    for name, *_ in drawn(groups(shown)["policy"]):
        arrow = definitions(shown)[name][-1]
        tips.append(float(arrow.attrib["d"].split("L")[0].split()[1]))
    assert tips[0] < tips[1] < 0.5


def test_svg_marks_have_strengths() -> None:
    counts = np.zeros(SHAPE)
    counts[2] = (0, 1, 10, 100)
    for name, symbol in (("visits", "visits-bar"), ("tree", "bubble")):
        marks = [name for name, *_ in drawn(groups(scene(**{name: counts}))[name])]
        levels = [float(mark.removeprefix(f"{symbol}-")) for mark in marks]
        assert len(levels) == 3
        assert levels == sorted(set(levels))
    planned = groups(scene(planned=[[8, 1], [9, 2]]))["planned"]
    assert drawn(planned) == [("planned", 2, 0), ("planned", 2, 1)]
    assert [use.attrib["transform"][:10] for use in planned] == ["rotate(90 ", "rotate(180"]
    belief = scene().walls.astype(float)
    belief[2] = (np.nan, 0.5, 1.0, 0.0)
    belief[1, 1] = 0.0
    verdicts = Counter(name for name, *_ in drawn(groups(scene(belief=belief))["belief"]))
    assert verdicts == {"unsure": 2, "false-wall": 1, "false-floor": 1, "correct": 8}


def test_svg_of_big_maze_small() -> None:
    walls = np.random.default_rng(0).random((50, 50)) < 0.4
    assert len(scene_to_svg(Scene(walls, ((0, 0),), ((49, 49),), None))) < 40_000


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"agent": (3, 0)}, r"agent: cell \(3, 0\) is outside the 3x4 maze"),
        ({"position": (0.0, 4.5)}, r"position: point \(0.0, 4.5\) is outside"),
        ({"overlays": Overlays().replace((1, 1), values=[0])}, "values: array for a maze of"),
    ],
)
def test_rejects_invalid_scene(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        scene_to_svg(scene()._replace(**fields))


@pytest.mark.parametrize("size", [0, -1, float("nan"), float("inf")])
def test_svg_rejects_invalid_cell_size(size: float) -> None:
    with pytest.raises(ValueError, match=r"cell_size: .*; expected a finite number above 0"):
        scene_to_svg(scene(), size)
