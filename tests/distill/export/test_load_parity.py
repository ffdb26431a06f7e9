"""The parity check of exports."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dynamaze.distill.core.policy import LogitPolicy
from dynamaze.distill.export.load import Parity, check_parity


class Given(LogitPolicy):
    """Policy that returns its observations as logits, plus a constant."""

    def __init__(self, added: Any = 0.0) -> None:
        self.added = added

    def action_logits(self, observations: Any) -> Any:
        return np.asarray(observations, dtype=np.float64) + self.added


ROWS = np.random.default_rng(0).normal(size=(2500, 4))


def test_check_parity_compares_all_rows() -> None:
    assert check_parity(Given(), Given(), ROWS) == Parity(2500, 2500, 0.0)


def test_check_parity_ignores_row_constant() -> None:
    parity = check_parity(Given(), Given(100.0), ROWS)
    assert parity.same_actions == 2500
    assert parity.largest_difference < 1e-12


def test_check_parity_counts_broken_ties() -> None:
    tied = np.array([[1.0, 1.0, 0.0]] * 3)
    parity = check_parity(Given(), Given([0.0, 1e-6, 0.0]), tied)
    assert parity == Parity(3, 0, pytest.approx(2e-6 / 3))


@pytest.mark.parametrize("added", [[0.0, 3e-4, 0.0, 0.0], [0.0, 0.0, np.nan, 0.0]])
def test_check_parity_finds_wrong_logit(added: list[float]) -> None:
    with pytest.raises(ValueError, match=r"row 0 of 2500: logits .* expected the same to"):
        check_parity(Given(), Given(added), ROWS)
    assert check_parity(Given(), Given([0.0, 5e-5, 0.0, 0.0]), ROWS).queries == 2500


def test_check_parity_names_first_wrong_row() -> None:
    class Once(Given):
        def action_logits(self, observations: Any) -> Any:
            logits = super().action_logits(observations).copy()
            logits[(observations == ROWS[1723]).all(axis=1)] *= -1
            return logits

    with pytest.raises(ValueError, match="row 1723 of 2500"):
        check_parity(Given(), Once(), ROWS)


def test_check_parity_refuses_other_shape_and_empty() -> None:
    class Narrow(Given):
        def action_logits(self, observations: Any) -> Any:
            return super().action_logits(observations)[:, :3]

    with pytest.raises(ValueError, match=r"of shape \(1000, 3\) where .* \(1000, 4\); exp"):
        check_parity(Given(), Narrow(), ROWS)
    with pytest.raises(ValueError, match="at least one"):
        check_parity(Given(), Given(), ROWS[:0])
