"""Checks of probabilities, logits, values and weights, wherever they come in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from dynamaze.benchmarks.distillation.mazes import outputs_of
from dynamaze.distill import (
    ActionValues,
    Dataset,
    Distiller,
    FunctionSource,
    MultiTeacher,
    agreement,
    as_teacher,
    collect,
    evaluate,
    make_batch,
    make_student,
    weighted,
)
from dynamaze.distill.core.checks import SUM_TOLERANCE, checked_probabilities
from dynamaze.distill.core.dataset import Batch
from dynamaze.distill.core.losses import Targets
from dynamaze.distill.teachers import teacher_labels, teacher_values

from ..small_envs import Fixed, Gaussian, clocks

SEEN = np.zeros((3, 2), dtype=np.float32)
GOOD = [[0.5, 0.5], [1.0, 0.0], [0.25, 0.75]]
NAN = np.nan


class Given:
    """Policy that returns what it was given."""

    def __init__(self, given: Any) -> None:
        self.given = given

    def action_probabilities(self, observations: Any) -> Any:
        return self.given


WRONG = {
    "negative": ([*GOOD[:2], [-0.25, 1.25]], "probability of Given in row 2 for action 0 is -0.25"),
    "sum": ([[1.8, 1.8], *GOOD[1:]], "probabilities of Given in row 0 sum to 3.6; expected 1"),
    "zero": ([GOOD[0], [0.0, 0.0], GOOD[2]], "in row 1 sum to 0; expected 1"),
    "nan": ([GOOD[0], [NAN, 1.0], GOOD[2]], "in row 1 for action 0 is nan; expected finite"),
    "inf": ([GOOD[0], GOOD[1], [0.0, np.inf]], "in row 2 for action 1 is inf; expected finite"),
    "one row": ([0.5, 0.5], r"have shape \(2,\); expected"),
    "text": ([["a", "b"]] * 3, "of Given are no array of numbers"),
    "none": (None, r"have shape \(\); expected"),
    "ragged": ([[0.5, 0.5], [1.0]], "of Given are no array of numbers"),
}

USES: dict[str, Callable[[Any], object]] = {
    "labels": lambda policy: teacher_labels(policy, SEEN),
    "source": lambda policy: FunctionSource(policy, lambda rng, progress: SEEN).batch(
        np.random.default_rng(0), 0.0
    ),
    "multi": lambda policy: MultiTeacher([policy], lambda seen: np.zeros(3, int)).action_logits(
        SEEN
    ),
    "soft": lambda policy: as_teacher(policy, temperature=2.0).action_logits(SEEN),
    "acting": lambda policy: evaluate(policy, clocks("SameStep"), 3, gamma=1, seed=0),
    "agreement": lambda policy: agreement(policy, Given(GOOD), SEEN),
    "mazes": lambda policy: outputs_of(policy)(SEEN),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("kind", WRONG)
def test_wrong_probabilities_are_refused(kind: str, use: str) -> None:
    given, message = WRONG[kind]
    with pytest.raises((TypeError, ValueError), match=message):
        USES[use](Given(given))


@pytest.mark.parametrize("rows", [2, 4])
def test_other_number_of_rows_is_refused(rows: int) -> None:
    wrong = Given(np.full((rows, 2), 0.5))
    with pytest.raises(ValueError, match=f"{rows} labels for 3 observations"):
        teacher_labels(wrong, SEEN)
    with pytest.raises(ValueError, match=rf"shape \({rows}, 2\); expected \(3, 2\)"):
        evaluate(wrong, clocks("SameStep"), 3, gamma=1, seed=0)


def test_other_number_of_actions_is_refused() -> None:
    wrong = Given(np.full((3, 5), 0.2))
    with pytest.raises(ValueError, match=r"shape \(3, 5\); expected \(3, 2\)"):
        evaluate(wrong, clocks("SameStep"), 3, gamma=1, seed=0)
    with pytest.raises(ValueError, match=r"logits of Given have shape \(3, 5\); expected"):
        collect(wrong, clocks("SameStep"), 3, np.random.default_rng(0))


def test_tolerance_allows_rounding() -> None:
    rounded = np.full((3, 7), 1 / 7, dtype=np.float16)
    assert checked_probabilities(rounded, Given(None)).dtype == np.float64
    for sign in (-1, 1):
        near, far = np.full((2, 2), 0.5), np.full((2, 2), 0.5)
        near[1, 0] += sign * 0.9 * SUM_TOLERANCE
        far[1, 0] += sign * 1.1 * SUM_TOLERANCE
        np.testing.assert_array_equal(checked_probabilities(near, Given(None)), near)
        with pytest.raises(ValueError, match="in row 1 sum to"):
            checked_probabilities(far, Given(None))
    assert checked_probabilities(np.zeros((0, 2)), Given(None)).shape == (0, 2)


@pytest.mark.parametrize(
    ("teacher", "message"),
    [
        (lambda seen: [[0.0, 1.0]] * 2 + [[NAN, 0.0]], "logit of <lambda> in row 2 for action 0"),
        (ActionValues(lambda seen: np.full((3, 2), NAN)), "logit of ActionValues in row 0"),
        (ActionValues(lambda seen: np.zeros(3)), r"action values of <lambda> have shape \(3,\)"),
        (Gaussian((0.0, NAN)), "mean of Gaussian in row 0 for dimension 1 is nan"),
        (Gaussian((0.0, 0.0), (0.0, np.inf)), "log deviation of Gaussian in row 0 for dimension 1"),
    ],
)
def test_wrong_labels_name_teacher(teacher: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        teacher_labels(teacher, SEEN)


def test_wrong_state_values_name_teacher() -> None:
    teacher = Fixed(0.5, 0.5)
    for given, message in (
        ([0, NAN, 0], "row 1 is nan"),
        ([0.0], "1 labels"),
        ([[0]] * 3, "shape"),
    ):
        teacher.state_values = lambda seen, given=given: given  # type: ignore[attr-defined]
        with pytest.raises(ValueError, match=message):
            teacher_values(teacher, SEEN)


ROWS = make_batch(SEEN, GOOD, [1, 2, 0], [0, 1, 2])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"logits": np.array([[0, NAN]] * 3)}, "logit of {} in row 0, column 1 is nan"),
        ({"logits": np.zeros(3)}, r"logits of {} have shape \(3,\)"),
        ({"logits": np.array([["a", "b"]] * 3)}, "logits of {} are of type ndarray; expected"),
        ({"weights": np.array([1.0, -1.0, 1.0])}, "weight of {} in row 1 is -1.0; expected at"),
        ({"weights": np.array([1.0, NAN, 1.0])}, "weight of {} in row 1 is nan"),
        ({"weights": np.ones(2)}, r"weights of {} have shape \(2,\); expected \(3,\)"),
        ({"values": np.array([0, 0, np.inf])}, "value of {} in row 2 is inf"),
        ({"values": np.zeros((3, 1))}, r"values of {} have shape \(3, 1\); expected \(3,\)"),
    ],
)
def test_stored_labels_are_checked(change: dict[str, Any], message: str) -> None:
    rows = ROWS._replace(**change)
    with pytest.raises((TypeError, ValueError), match=message.format("a dataset")):
        Dataset(rows)
    source = type("Replay", (), {"batch": lambda self, rng, progress: rows})()
    student = make_student("linear", observation_shape=(2,), num_actions=2)
    before = student.action_logits(SEEN)
    with pytest.raises((TypeError, ValueError), match=message.format("Replay")):
        Distiller(student, source, total_steps=1).distil()
    np.testing.assert_array_equal(student.action_logits(SEEN), before)


def test_loss_that_is_not_finite_changes_nothing() -> None:
    rows = Batch(np.full((3, 2), NAN, dtype=np.float32), *ROWS[1:])
    source = type("Replay", (), {"batch": lambda self, rng, progress: rows})()
    student = make_student("linear", observation_shape=(2,), num_actions=2)
    before = student.action_logits(SEEN)
    distiller = Distiller(student, source, total_steps=2)
    with pytest.raises(ValueError, match="loss of student 'student' in step 1 is nan"):
        distiller.distil()
    np.testing.assert_array_equal(student.action_logits(SEEN), before)
    assert distiller.step == 0


def test_weights_below_zero_are_refused() -> None:
    logits = torch.tensor(GOOD)
    loss = weighted("kl", lambda given: given[:, 0] - 0.4, floor=0.1)
    with pytest.raises(ValueError, match=r"weight -0.15 in row 2; expected numbers of at least"):
        loss(logits, Targets(logits, torch.ones(3)))
