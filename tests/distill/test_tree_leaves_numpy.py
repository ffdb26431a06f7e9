"""A tree as ONNX and as C comes to the very leaf that the tree comes to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dynamaze.distill.export.c_source.policy import CPolicy, find_compiler
from dynamaze.distill.export.c_source.writer import export_c
from dynamaze.distill.export.load import check_parity
from dynamaze.distill.students.tree import Tree

from .students_to_ship import planted


def as_onnx(tree: Tree, folder: Path, seen: Any) -> Any:
    pytest.importorskip("onnx", reason="the extra onnx is not installed")
    from dynamaze.distill.export.onnx_graph.policy import OnnxPolicy
    from dynamaze.distill.export.onnx_graph.writer import export_onnx

    export_onnx(folder / "s.onnx", tree, seen)
    return OnnxPolicy(folder / "s.onnx")


def as_c(tree: Tree, folder: Path, seen: Any) -> Any:
    if find_compiler() is None:
        pytest.skip("there is no C compiler")
    export_c(folder / "s.h", tree, seen)
    return CPolicy(folder / "s.h", "-std=c99", "-pedantic")


Form = Callable[[Tree, Path, Any], Any]
every_form = pytest.mark.parametrize("form", [as_onnx, as_c])


def same(tree: Tree, policy: Any, asked: Any) -> None:
    """Every answer is that of the same leaf, and every action the same."""
    parity = check_parity(tree, policy, asked, tolerance=0.0)
    assert parity.answers == parity.same_actions == len(asked)


@every_form
def test_numbers_at_a_threshold_and_beside_it_go_the_same_way(form: Form, tmp_path: Path) -> None:
    tree = planted(Tree((3, 2), 4), questions=255)
    thresholds = tree.get_state()["threshold"].astype(np.float32)
    up, down = (np.nextafter(thresholds, np.float32(side)) for side in (9, -9))
    near = np.concatenate([thresholds, up, down, np.float32([np.inf, -np.inf, np.nan, 0, -0.0])])
    asked = np.random.default_rng(1).choice(near, size=(10_000, 3, 2))
    same(tree, form(tree, tmp_path, asked[0]), asked)


@every_form
@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_a_threshold_between_two_floats_is_between_them(
    form: Form, share: float, tmp_path: Path
) -> None:
    one = np.float32([-1.1, -1e-30, 0.3, 7.0, 2.0**20])
    after = np.nextafter(one, np.float32(np.inf))
    between = one.astype(np.float64) * (1 - share) + after.astype(np.float64) * share
    for number, threshold in enumerate(between):
        tree = Tree((1,), 2)
        tree.set_state(
            {
                "feature": np.array([0, -1, -1]),
                "threshold": np.array([threshold, 0, 0]),
                "below": np.array([[1, 2], [-1, -1], [-1, -1]]),
                "logits": np.array([[0, 0], [1, 0], [0, 1]]),
            }
        )
        asked = np.array([[one[number]], [after[number]]])
        assert [tree.act(each) for each in asked] == [0, 1]
        same(tree, form(tree, tmp_path, asked[0]), asked)


@every_form
def test_logits_that_float32_makes_equal_lead_to_the_same_action(
    form: Form, tmp_path: Path
) -> None:
    tree = Tree((1,), 3)
    tree.set_state({**tree.get_state(), "logits": np.array([[0.1, 0.1 + 1e-12, -5.0]])})
    asked = np.zeros((1, 1), dtype=np.float32)
    policy = form(tree, tmp_path, asked[0])
    assert policy.act(asked[0]) == tree.act(asked[0]) == 1
    check_parity(tree, policy, asked)


@every_form
@pytest.mark.parametrize("shape", [(), (4,)])
def test_a_grown_tree_of_any_shape_and_kind_of_numbers(
    form: Form, shape: tuple[int, ...], tmp_path: Path
) -> None:
    pytest.importorskip("sklearn")
    from dynamaze.distill.core.dataset import Dataset, make_batch

    rng = np.random.default_rng(0)
    asked = rng.integers(0, 256, size=(1000, *shape), dtype=np.uint8)
    tree = Tree(shape, 3, 100).fit(Dataset(make_batch(asked, rng.random((1000, 3)))))
    assert tree.depth > 5
    same(tree, form(tree, tmp_path, asked[0]), asked)
