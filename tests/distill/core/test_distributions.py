"""Means and log standard deviations of Gaussian policies."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dynamaze.distill.core.distributions import gaussian_rows, split


def gaussian(mean: Any, log_std: Any) -> Any:
    return SimpleNamespace(action_gaussian=lambda observations: (mean, log_std))


def test_split_undoes_gaussian_rows() -> None:
    mean, log_std = np.array([[0.0, 1.0, 2.0]]), np.array([[-1.0, -2.0, -3.0]])
    rows = gaussian_rows(gaussian(mean, log_std), np.zeros((1, 4)))
    assert rows.tolist() == [[0, 1, 2, -1, -2, -3]]
    np.testing.assert_equal(split(rows), (mean, log_std))


@pytest.mark.parametrize(("shape", "other"), [((2, 3), (2, 2)), ((3,), (3,))])
def test_gaussian_rows_rejects_shapes(shape: tuple[int, ...], other: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected \(queries, dimensions\) each"):
        gaussian_rows(gaussian(np.zeros(shape), np.zeros(other)), np.zeros((2, 4)))
