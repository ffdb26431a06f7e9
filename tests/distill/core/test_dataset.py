"""Batches, datasets and levels."""

import numpy as np
import pytest

from dynamaze.common.storage import CheckpointError, read_checkpoint, write_checkpoint
from dynamaze.distill import LevelRange, check_disjoint
from dynamaze.distill.core.dataset import Dataset, join, make_batch


def _dataset(rows=6, **kwargs):
    rng = np.random.default_rng(0)
    batch = make_batch(rng.integers(3, size=(rows, 2)), rng.normal(size=(rows, 4)), **kwargs)
    return Dataset(batch, (LevelRange(3, 5),), batch_size=4)


def test_dataset_save_load_round_trip(tmp_path):
    stored = _dataset(values=np.arange(6.0))
    stored.save(tmp_path / "data.npz")
    found = Dataset.load(tmp_path / "data.npz")
    for before, after in zip(stored.rows[:-1], found.rows[:-1], strict=True):
        np.testing.assert_array_equal(before, after)
        assert before.dtype == after.dtype
    assert (found.levels, found.batch_size) == (stored.levels, 4)


def test_load_refuses_foreign_file(tmp_path):
    (tmp_path / "no.npz").write_bytes(b"PK nothing")
    with pytest.raises(CheckpointError, match="not a whole checkpoint"):
        Dataset.load(tmp_path / "no.npz")


def test_batch_samples_stored_rows_only():
    stored = _dataset()
    batch = stored.batch(np.random.default_rng(1), 0.0)
    assert len(batch.logits) == 4
    rows = {row.tobytes() for row in stored.rows.logits}
    assert {row.tobytes() for row in batch.logits} <= rows


def test_unique_weights_by_occurrence():
    batch = make_batch(np.array([[1], [0], [1], [1]]), np.arange(4.0)[:, None] * np.ones(2))
    unique = Dataset(batch).unique()
    assert dict(zip(unique.rows.observations[:, 0].tolist(), unique.rows.weights, strict=True)) == {
        0: 1.0,
        1: 3.0,
    }
    assert unique.rows.logits[1, 0] == 0.0  # the first occurrence


def test_join_keeps_rows_and_levels():
    both = join([_dataset(), _dataset(3)])
    assert len(both) == 9
    assert both.levels == (LevelRange(3, 5),)
    with pytest.raises(ValueError, match="no datasets"):
        join([])


def test_dataset_refuses_invalid_rows():
    with pytest.raises(ValueError, match="an empty dataset"):
        Dataset(make_batch(np.zeros((0, 2)), np.zeros((0, 4))))
    with pytest.raises(ValueError, match="2 observations and 3 labels"):
        Dataset(make_batch(np.zeros((2, 2)), np.zeros((3, 4))))
    with pytest.raises(ValueError, match=r"columns of \[2, 3\] labels"):
        make_batch(np.zeros((3, 2)), np.zeros((3, 4)), weights=np.ones(2))


@pytest.mark.parametrize(
    ("held", "fits"), [((0, 5), True), ((9, 1), False), ((10, 5), True), ((0, 100), False)]
)
def test_check_disjoint_refuses_overlap(held, fits):
    training = [LevelRange(5, 5)]
    if fits:
        check_disjoint(training, [LevelRange(*held)])
    else:
        with pytest.raises(ValueError, match="trained on levels 5 to 9 and held out levels"):
            check_disjoint(training, [LevelRange(*held)])


@pytest.mark.parametrize(
    "change",
    [
        lambda arrays, document: arrays["logits"].__setitem__((0, 0), np.nan),
        lambda arrays, document: arrays["weights"].__setitem__(0, -np.inf),
        lambda arrays, document: arrays.update(logits=arrays["logits"][:-1]),
        lambda arrays, document: arrays.update(logits=np.array("x")),
        lambda arrays, document: document.update(batch_size=-1),
        lambda arrays, document: document.update(batch_size="4"),
        lambda arrays, document: document.update(levels=[[0]]),
        lambda arrays, document: document.update(levels=5),
        lambda arrays, document: document.update(distribution="x"),
        lambda arrays, document: document.pop("levels"),
    ],
)
def test_load_refuses_forged_dataset(tmp_path, change):
    path = tmp_path / "data.npz"
    _dataset().save(path)
    arrays, document = read_checkpoint(path)
    change(arrays, document)
    write_checkpoint(path, arrays, document)
    with pytest.raises(CheckpointError, match=r"data\.npz holds no valid dataset: "):
        Dataset.load(path)


def test_unlabelled_rows_and_extra_columns(tmp_path):
    seen = np.arange(6, dtype=np.float32).reshape(3, 2)
    stored = Dataset(make_batch(seen, None, extra={"reward": np.arange(3.0)}), batch_size=2)
    stored.save(tmp_path / "d")
    found = Dataset.load(tmp_path / "d")
    assert len(found) == 3
    assert found.rows.logits is None
    batch = found.batch(np.random.default_rng(0), 0.0)
    np.testing.assert_array_equal(batch.observations[:, 0], 2 * batch.extra["reward"])
    both = join([found, found.take(np.array([1]))])
    np.testing.assert_array_equal(both.rows.extra["reward"], [0, 1, 2, 1])
    labelled = Dataset(make_batch(seen, np.zeros((3, 2)), values=np.zeros(3)))
    assert join([labelled, found]).rows[1:4] == (None, None, None)
    with pytest.raises(ValueError, match="unique observations without labels"):
        found.unique()
    with pytest.raises(ValueError, match="2 rows of reward for 3 observations"):
        Dataset(make_batch(seen, None, extra={"reward": np.zeros(2)}))
    with pytest.raises(ValueError, match="values of observations without labels"):
        make_batch(seen, None, values=np.zeros(3))
