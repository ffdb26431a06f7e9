"""Certificates of students: what is proved of them from their weights alone."""

from __future__ import annotations

import os
from typing import Any

from ..core.certificate import Certificate, NotCertifiedError, certificate_of
from ..core.maze_maps import ActionMaps, costs_of
from ..core.soft_certificate import soft_certificate_of
from .common import operations as ops
from .common.students import operations_of
from .load import open_policy


def certify(student: Any) -> Certificate:
    """Prove up to which path length a value iteration network is right in every maze of any size.

    The proofs are in `dynamaze.distill.core.certificate`, and in `soft_certificate` for moves that
    are not exact. They include the rounding of float32, and need no maze. Where the number of
    iterations is a given one, it bounds the path length.

    Args:
        student: a student, a policy of `load_policy`, a file in .safetensors, or `builtin:NAME`.

    Raises:
        NotCertifiedError: (a ValueError) for another kind of student, or weights about which
            nothing can be proved, such as those of a network that is not trained.
        StudentFileError: (a ValueError) for a file that is not a student.
        ValueError: for an unknown built-in student.
    """
    if isinstance(student, str | os.PathLike):
        student = open_policy(student).policy
    operations = operations_of(student)
    network = None if operations is None else ops.first_of(operations)
    if not isinstance(network, ops.ValueIteration):
        config = getattr(student, "config", {})
        kind = config.get("kind", type(student).__name__)
        raise NotCertifiedError(f"a student of kind {kind}; expected a value iteration network")
    maps = ActionMaps(network.reward, network.moves, network.bias)
    prove = soft_certificate_of if costs_of(maps) is None else certificate_of
    found = prove(maps, network.top, network.sharpness)
    if network.iterations is None:
        return found
    most = max(0, network.iterations - found.delay)
    limit = found.limit if found.steps <= most else "iterations"
    return found._replace(
        steps=min(found.steps, most), one_goal=min(found.one_goal, most), limit=limit
    )
