"""Certificates of students: what is proved of them from their weights alone."""

from __future__ import annotations

import os
from typing import Any

from ..core.certificate import Certificate, NotCertifiedError, certificate_of
from ..core.maze_maps import ActionMaps
from .common import operations as ops
from .common.students import operations_of
from .load import open_policy


def certify(student: Any) -> Certificate:
    """Prove up to which path length a value iteration network is right in every maze of any size.

    The proof is in `dynamaze.distill.core.certificate`. It includes the rounding of float32, and
    needs no maze. Where the number of iterations is a given one, it bounds the path length.

    Args:
        student: a student, a policy of `load_policy`, a file in .safetensors, or `builtin:NAME`.

    Raises:
        NotCertifiedError: (a ValueError) for another kind of student, or weights about which
            nothing can be proved, such as those of a network that is not hardened.
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
    found = certificate_of(maps, network.top, network.sharpness)
    if network.iterations is None:
        return found
    steps = max(0, min(found.steps, network.iterations - found.delay))
    return found._replace(steps=steps, limit=found.limit if steps == found.steps else "iterations")
