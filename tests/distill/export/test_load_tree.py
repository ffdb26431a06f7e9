"""Trees as ONNX and as C reach the same leaf as the tree."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dynamaze.distill.export.c_source.policy import CPolicy, find_compiler
from dynamaze.distill.export.c_source.writer import export_c
from dynamaze.distill.export.load import check_parity
from dynamaze.distill.students.tree import DecisionTree

from ..student_cases import random_tree


def as_onnx(tree: DecisionTree, folder: Path, seen: Any) -> Any:
    pytest.importorskip("onnx", reason="the extra onnx is not installed")
    from dynamaze.distill.export.onnx_graph.policy import OnnxPolicy
    from dynamaze.distill.export.onnx_graph.writer import export_onnx

    export_onnx(folder / "s.onnx", tree, seen)
    return OnnxPolicy(folder / "s.onnx")


def as_c(tree: DecisionTree, folder: Path, seen: Any) -> Any:
    if find_compiler() is None:
        pytest.skip("there is no C compiler")
    export_c(folder / "s.h", tree, seen)
    return CPolicy(folder / "s.h", "-std=c99", "-pedantic")


Exporter = Callable[[DecisionTree, Path, Any], Any]
every_exporter = pytest.mark.parametrize("export", [as_onnx, as_c])


def assert_same_leaves(tree: DecisionTree, policy: Any, queried: Any) -> None:
    """Assert that every output is that of the same leaf, and every action the same."""
    parity = check_parity(tree, policy, queried, tolerance=0.0)
    assert parity.queries == parity.same_actions == len(queried)


@every_exporter
def test_tree_export_thresholds_exact(export: Exporter, tmp_path: Path) -> None:
    tree = random_tree(DecisionTree((3, 2), 4), splits=255)
    thresholds = tree.get_state()["threshold"].astype(np.float32)
    up, down = (np.nextafter(thresholds, np.float32(side)) for side in (9, -9))
    near = np.concatenate([thresholds, up, down, np.float32([np.inf, -np.inf, np.nan, 0, -0.0])])
    queried = np.random.default_rng(1).choice(near, size=(10_000, 3, 2))
    assert_same_leaves(tree, export(tree, tmp_path, queried[0]), queried)


@every_exporter
@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_tree_export_threshold_between_floats(
    export: Exporter, share: float, tmp_path: Path
) -> None:
    one = np.float32([-1.1, -1e-30, 0.3, 7.0, 2.0**20])
    after = np.nextafter(one, np.float32(np.inf))
    between = one.astype(np.float64) * (1 - share) + after.astype(np.float64) * share
    for number, threshold in enumerate(between):
        tree = DecisionTree((1,), 2)
        tree.set_state(
            {
                "feature": np.array([0, -1, -1]),
                "threshold": np.array([threshold, 0, 0]),
                "below": np.array([[1, 2], [-1, -1], [-1, -1]]),
                "logits": np.array([[0, 0], [1, 0], [0, 1]]),
            }
        )
        queried = np.array([[one[number]], [after[number]]])
        assert [tree.act(each) for each in queried] == [0, 1]
        assert_same_leaves(tree, export(tree, tmp_path, queried[0]), queried)


@every_exporter
def test_tree_export_keeps_best_of_rounded_ties(export: Exporter, tmp_path: Path) -> None:
    tree = DecisionTree((1,), 3)
    tree.set_state({**tree.get_state(), "logits": np.array([[0.1, 0.1 + 1e-12, -5.0]])})
    queried = np.zeros((1, 1), dtype=np.float32)
    policy = export(tree, tmp_path, queried[0])
    assert policy.act(queried[0]) == tree.act(queried[0]) == 1
    check_parity(tree, policy, queried)


@every_exporter
@pytest.mark.parametrize("shape", [(), (4,)])
def test_tree_export_of_grown_trees(
    export: Exporter, shape: tuple[int, ...], tmp_path: Path
) -> None:
    pytest.importorskip("sklearn")
    from dynamaze.distill.core.dataset import Dataset, make_batch

    rng = np.random.default_rng(0)
    queried = rng.integers(0, 256, size=(1000, *shape), dtype=np.uint8)
    tree = DecisionTree(shape, 3, 100).fit(Dataset(make_batch(queried, rng.random((1000, 3)))))
    assert tree.depth > 5
    assert_same_leaves(tree, export(tree, tmp_path, queried[0]), queried)
