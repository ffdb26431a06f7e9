"""Loading of exported policies, and a check that an export equals its student."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.arrays import FloatArray

from ..files.builtin_students import student_path
from ..files.card import Card, stored_card
from ..files.weights import StudentFileError, read_weights


class LoadedPolicy(NamedTuple):
    """Policy from a file with the file's description."""

    policy: Any  # has `act(observation)`, and `action_logits` or `action_gaussian(observations)`
    kind: str
    card: Card


def open_policy(path: str | os.PathLike[str]) -> LoadedPolicy:
    """Load a student from a file of `save_student` or `export_onnx`.

    Students run without torch if their kind allows it.

    Args:
        path: a file whose name ends in `.safetensors` or `.onnx`, or `builtin:NAME` of a student
            that comes with the package (`BUILTIN`).

    Raises:
        StudentFileError: (a ValueError) for another ending, or a file that is cut short, damaged or
            foreign.
        ValueError: for an unknown built-in student.
        ImportError: without the libraries that the file needs.
    """
    ending = Path(student_path(path)).suffix
    if ending == ".onnx":
        from .onnx_graph.policy import OnnxPolicy

        student = OnnxPolicy(path)
        return LoadedPolicy(student, student.config["kind"], stored_card(path, student.card))
    if ending != ".safetensors":
        raise StudentFileError(
            f"{path} ends in {ending!r}; expected a policy in .safetensors or .onnx"
        )
    from .compiled.policy import build_policy, runs_without_torch

    stored = read_weights(path)
    kind, card = str(stored.config.get("kind")), stored_card(path, stored.card)
    if runs_without_torch(stored.config):
        return LoadedPolicy(build_policy(stored, where=path), kind, card)
    from ..files.students import load_student

    return LoadedPolicy(load_student(path), kind, card)


BATCH = 1000
"""Observations in one call of the policies."""

ROUNDING = 4e-6
"""Relative rounding error of a logit in float32, for sums in another order and many iterations."""


class Parity(NamedTuple):
    """Comparison of two policies."""

    queries: int  # number of compared rows
    same_actions: int  # number of rows with the same preferred action
    largest_difference: float  # of a logit, after subtraction of each row's mean


def check_parity(
    student: Any, exported: Any, observations: Any, *, tolerance: float = 1e-4
) -> Parity:
    """Compare a student with its export.

    Only differences within a row of logits matter, so each row's mean is subtracted.

    Args:
        student: a policy with `action_logits`.
        exported: its export.
        observations: a batch; 10,000 or more for a thorough check.
        tolerance: absolute tolerance of a logit, in addition to 4e-6 of the largest logit of its
            row, the rounding error of float32.

    Raises:
        ValueError: for another shape, a logit beyond the tolerance, or another action where the
            student's best two logits differ by more than it, naming the first such row; and for no
            observations.
    """
    logits_of: list[FloatArray] = []  # (2, queries, actions) each
    for start in range(0, len(observations), BATCH):
        part = observations[start : start + BATCH]
        pair = [np.asarray(policy.action_logits(part)) for policy in (student, exported)]
        if pair[0].shape != pair[1].shape:
            raise ValueError(
                f"logits of shape {pair[1].shape} where the student gives {pair[0].shape}; "
                "expected the same"
            )
        logits_of.append(np.stack(pair))
    if not logits_of:
        raise ValueError("no observations; expected at least one to compare")
    logits = np.concatenate(logits_of, axis=1)
    allowed = tolerance + ROUNDING * np.abs(logits[0]).max(axis=1)
    wanted, found = logits - logits.mean(axis=2, keepdims=True)
    difference = np.abs(wanted - found).max(axis=1)
    best, other = wanted.argmax(axis=1), found.argmax(axis=1)
    second, first = np.sort(wanted, axis=1)[:, -2:].T if wanted.shape[1] > 1 else (wanted.T[0],) * 2
    wrong = ~(difference <= allowed) | ((best != other) & (first - second > allowed))
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(
            f"row {row} of {len(wanted)}: logits {found[row].round(6).tolist()} (minus their "
            f"mean), and the student's {wanted[row].round(6).tolist()}; expected the same to "
            f"{allowed[row]:.3g}"
        )
    return Parity(len(wanted), int((best == other).sum()), float(difference.max()))
