"""A proof that a policy came out as it went in: both are asked, and must answer alike."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.arrays import FloatArray

BATCH = 1000
"""How many observations are asked at once."""

ROUNDING = 4e-6
"""Of a logit, what sums in another order may change in dozens of iterations, in float32."""


class Parity(NamedTuple):
    """How alike two policies are."""

    answers: int  # how many were compared
    same_actions: int  # how often both prefer the same
    largest_difference: float  # of a logit, after each row's mean is taken off


def check_parity(
    student: Any, exported: Any, observations: Any, *, tolerance: float = 1e-4
) -> Parity:
    """Compare a student with what was made of it.

    Only differences within a row of logits matter, so each row is compared without its mean.

    Args:
        student: a policy with `action_logits`.
        exported: the same in another form.
        observations: a batch; a proof takes 10,000 or more.
        tolerance: how far a logit may be off, beside four millionths of the largest logit of its
            row, which is what float32 may lose on the way.

    Raises:
        ValueError: for another shape, a logit further off, or another action where the student's
            best two logits are further apart than the tolerance; with the first such observation.
    """
    given: list[FloatArray] = []  # (2, answers, actions) each
    for began in range(0, len(observations), BATCH):
        part = observations[began : began + BATCH]
        pair = [np.asarray(policy.action_logits(part)) for policy in (student, exported)]
        if pair[0].shape != pair[1].shape:
            raise ValueError(f"logits {pair[1].shape} where the student gives {pair[0].shape}")
        given.append(np.stack(pair))
    if not given:
        raise ValueError("no observations; expected at least one to compare")
    logits = np.concatenate(given, axis=1)
    allowed = tolerance + ROUNDING * np.abs(logits[0]).max(axis=1)
    wanted, found = logits - logits.mean(axis=2, keepdims=True)
    difference = np.abs(wanted - found).max(axis=1)
    best, other = wanted.argmax(axis=1), found.argmax(axis=1)
    second, first = np.sort(wanted, axis=1)[:, -2:].T if wanted.shape[1] > 1 else (wanted.T[0],) * 2
    wrong = ~(difference <= allowed) | ((best != other) & (first - second > allowed))
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(
            f"answer {row} of {len(wanted)}: logits {found[row].round(6).tolist()} (less their "
            f"mean), and the student's {wanted[row].round(6).tolist()}; expected the same to "
            f"{allowed[row]:.3g}"
        )
    return Parity(len(wanted), int((best == other).sum()), float(difference.max()))
