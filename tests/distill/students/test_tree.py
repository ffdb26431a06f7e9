"""The decision tree against scikit-learn and the table, and with weights that matter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")
from dynamaze.distill.core.dataset import Dataset, make_batch
from dynamaze.distill.students.table import TableStudent
from dynamaze.distill.students.tree import DecisionTree


def shown(seed: int = 0, rows: int = 300, actions: int = 3) -> Dataset:
    rng = np.random.default_rng(seed)
    observations = rng.integers(6, size=(rows, 2, 2)).astype(np.float32)
    preferred = observations.reshape(rows, 4) @ rng.normal(size=(4, actions))
    return Dataset(make_batch(observations, preferred, rng.random(rows) + 0.5))


def test_tree_with_many_leaves_equals_table() -> None:
    data = shown()
    tree, table = DecisionTree((2, 2), 3, 10_000).fit(data), TableStudent((2, 2), 3).fit(data)
    seen = data.rows.observations
    np.testing.assert_array_equal(
        tree.action_logits(seen).argmax(axis=1), table.action_logits(seen).argmax(axis=1)
    )


def test_tree_single_leaves_equal_table_logits() -> None:
    rows = np.arange(8, dtype=np.float32)[:, None]
    logits = np.tile(np.eye(2), (4, 1)) + np.arange(8)[:, None] / 10
    data = Dataset(make_batch(rows, logits))
    tree, table = DecisionTree((1,), 2, 8).fit(data), TableStudent((1,), 2).fit(data)
    np.testing.assert_allclose(tree.action_logits(rows), table.action_logits(rows), rtol=1e-6)
    assert (tree.num_leaves, tree.num_parameters) == (8, 7 * 2 + 8 * 2)
    assert 3 <= tree.depth <= 7


@pytest.mark.parametrize("leaves", [2, 5, 17])
def test_tree_matches_sklearn_splits(leaves: int) -> None:
    from sklearn.tree import DecisionTreeClassifier

    data, new = shown(), np.random.default_rng(5).normal(3, 2, size=(500, 2, 2))
    rows, logits, weights, *_ = data.rows
    sklearn_tree = DecisionTreeClassifier(max_leaf_nodes=leaves, random_state=0).fit(
        rows.reshape(len(rows), -1),
        logits.argmax(axis=1),
        sample_weight=weights.astype(float) * np.ptp(logits.astype(float), axis=1),
    )
    tree = DecisionTree((2, 2), 3, leaves).fit(data)
    assert tree.num_leaves == sklearn_tree.get_n_leaves() == leaves
    assert tree.depth == sklearn_tree.get_depth()
    expected = sklearn_tree.apply(new.reshape(500, -1))
    _, found = np.unique(tree.action_logits(new), axis=0, return_inverse=True)
    pairs = set(zip(expected.tolist(), found.ravel().tolist(), strict=True))
    assert len(pairs) == len(set(expected)) == len(set(found.ravel()))


def test_tree_compares_in_float32_as_sklearn() -> None:
    from sklearn.tree import DecisionTreeClassifier

    one, next_one = (
        2.0**20 + 0.125,
        2.0**20 + 0.25,
    )  # adjacent floats
    rows, between = np.array([[one], [next_one]]), np.array([[2.0**20 + 0.1875]])
    sklearn_tree = DecisionTreeClassifier(max_leaf_nodes=2).fit(rows, [0, 1])
    tree = DecisionTree((1,), 2).fit(Dataset(make_batch(rows, np.eye(2))))
    assert tree.act(between[0]) == sklearn_tree.predict(between)[0] == 1


def test_tree_leaf_action_best_for_rows() -> None:
    # Most rows prefer action 0, but it is very bad for the others.
    rows = make_batch(np.zeros((5, 1)), [[0.1, 0.0]] * 4 + [[0.0, 5.0]])
    assert DecisionTree((1,), 2).fit(Dataset(rows)).act(np.zeros(1)) == 1


def test_tree_splits_critical_rows_first() -> None:
    # One split is allowed; unweighted it would be on the first feature.
    observations = np.array([[0, 0], [1, 0], [0, 0], [1, 0], [0, 1]] * 4, dtype=np.float32)
    logits = np.array([[0.1, 0, 0], [0, 0.1, 0], [0.1, 0, 0], [0, 0.1, 0], [0, 0, 9.0]] * 4)
    tree = DecisionTree((2,), 3, 2).fit(Dataset(make_batch(observations, logits)))
    assert tree.act(np.array([0, 1])) == 2
    assert tree.act(np.array([0, 0])) == tree.act(np.array([1, 0])) != 2


def test_tree_loss_decreases_with_leaves() -> None:
    data = shown(rows=1000)
    logits = data.rows.logits

    def lost(leaves: int) -> float:
        chosen = (
            DecisionTree((2, 2), 3, leaves)
            .fit(data)
            .action_logits(data.rows.observations)
            .argmax(1)
        )
        return float((logits.max(axis=1) - logits[np.arange(1000), chosen]).mean())

    losses = [lost(leaves) for leaves in (2, 8, 32, 128)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.1 * losses[0]


def test_tree_without_criticality_fits() -> None:
    rows = make_batch(np.arange(4.0)[:, None], np.zeros((4, 2)))
    tree = DecisionTree((1,), 2).fit(Dataset(rows))
    assert (tree.num_leaves, tree.depth) == (1, 0)
    np.testing.assert_array_equal(tree.action_logits(np.ones((3, 1))), np.zeros((3, 2)))


def test_tree_seed_and_state_round_trip() -> None:
    data, seen = shown(), np.random.default_rng(1).normal(3, 2, size=(100, 2, 2))
    one, two = (DecisionTree((2, 2), 3, 20, seed=4).fit(data) for _ in range(2))
    np.testing.assert_array_equal(one.action_logits(seen), two.action_logits(seen))
    other = DecisionTree((2, 2), 3)
    other.set_state(one.get_state())
    np.testing.assert_array_equal(one.action_logits(seen), other.action_logits(seen))


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("below", lambda below: np.zeros_like(below)),  # it would never end
        ("below", lambda below: below + len(below)),
        ("feature", lambda feature: feature + 2),
        ("feature", lambda feature: np.where(feature < 0, feature, -2)),
        ("threshold", lambda threshold: threshold[:-1]),
        ("logits", lambda logits: logits[:, :-1]),
        ("below", lambda below: below[:, 0]),
    ],
)
def test_tree_refuses_bad_state(part: str, change: Any) -> None:
    tree = DecisionTree((2, 2), 3).fit(shown())
    state, seen = tree.get_state(), shown().rows.observations
    before = tree.action_logits(seen)
    with pytest.raises(ValueError, match="not a tree for observations"):
        tree.set_state({**state, part: change(state[part])})
    np.testing.assert_array_equal(tree.action_logits(seen), before)


def test_tree_refuses_misfit_dataset() -> None:
    with pytest.raises(ValueError, match="a dataset of 3 actions; expected 4"):
        DecisionTree((2, 2), 4).fit(shown())
    with pytest.raises(ValueError, match=r"leaves=1; expected a whole number in \[2, "):
        DecisionTree((2, 2), 3, 1)
