"""The table student."""

from __future__ import annotations

import numpy as np
import pytest

from dynamaze.distill.core.dataset import Dataset, make_batch
from dynamaze.distill.students.table import TableStudent


def shown(seed: int = 0, rows: int = 50) -> Dataset:
    """Dataset with repeated observations and distinct labels."""
    rng = np.random.default_rng(seed)
    observations = rng.integers(4, size=(rows, 2)).astype(np.float32)
    return Dataset(make_batch(observations, rng.normal(size=(rows, 3)), rng.random(rows)))


def test_table_averages_labels_by_weight() -> None:
    data = shown()
    table = TableStudent((2,), 3).fit(data)
    seen, logits, weights, *_ = data.rows
    for observation in np.unique(seen, axis=0):
        rows = (seen == observation).all(axis=1)
        expected = np.average(logits[rows].astype(float), axis=0, weights=weights[rows])
        np.testing.assert_allclose(table.action_logits(observation[None])[0], expected, rtol=1e-6)
    assert table.num_parameters == 3 * (len(np.unique(seen, axis=0)) + 1)
    assert table.multiply_adds((2,)) == 0


def test_table_unknown_gets_overall_mean() -> None:
    data = shown()
    table = TableStudent((2,), 3).fit(data)
    new = np.array([[9.0, 9.0], [0.0, 9.0]])
    expected = np.average(data.rows.logits.astype(float), axis=0, weights=data.rows.weights)
    np.testing.assert_allclose(table.action_logits(new), [expected, expected], rtol=1e-6)
    np.testing.assert_array_equal(table.contains(new), [False, False])
    assert table.contains(data.rows.observations).all()


def test_table_keys_ignore_dtype() -> None:
    table = TableStudent((2,), 3).fit(shown())
    seen = np.array([[0, 1], [3, 2]])
    expected = table.action_logits(seen.astype(np.float32))
    for dtype in (np.int64, np.uint8, np.float64):
        np.testing.assert_array_equal(table.action_logits(seen.astype(dtype)), expected)
    np.testing.assert_array_equal(table.action_logits(np.array([[-0.0, 1.0], [3, 2]])), expected)


def test_table_zero_weight_rows() -> None:
    rows = make_batch(np.array([[0.0], [0.0], [1.0]]), [[2.0, 0], [4, 0], [6, 0]], [0, 0, 1])
    table = TableStudent((1,), 2).fit(Dataset(rows))
    np.testing.assert_allclose(table.action_logits(np.array([[0.0], [1], [2]]))[:, 0], [3, 6, 6])


def test_table_accepts_discrete_and_scalar_observations() -> None:
    rows = make_batch(np.arange(5), np.eye(5))
    table = TableStudent((), 5).fit(Dataset(rows))
    np.testing.assert_array_equal(table.action_logits(np.array([3, 1])), np.eye(5)[[3, 1]])
    assert table.act(2) == 2


def test_table_state_round_trip() -> None:
    table = TableStudent((2,), 3).fit(shown())
    other = TableStudent((2,), 3)
    other.set_state(table.get_state())
    seen = np.random.default_rng(1).integers(5, size=(40, 2))
    np.testing.assert_array_equal(other.action_logits(seen), table.action_logits(seen))


def test_table_refuses_bad_state() -> None:
    state = TableStudent((2,), 3).fit(shown()).get_state()
    for wrong in ({"keys": state["keys"][:-1]}, {"logits": state["logits"][:, :2]}):
        with pytest.raises(ValueError, match="expected a table of 3 actions"):
            TableStudent((2,), 3).set_state({**state, **wrong})


def test_table_refuses_misfit_dataset() -> None:
    with pytest.raises(ValueError, match="a dataset of 3 actions; expected 4"):
        TableStudent((2,), 4).fit(shown())
    with pytest.raises(ValueError, match=r"observations of shape \(50, 2\); expected \(batch, 3\)"):
        TableStudent((3,), 3).fit(shown())
