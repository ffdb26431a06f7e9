"""Students by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeGuard

from dynamaze.common.validation import did_you_mean

from .composite import ActorCritic
from .conv import Convolution
from .gaussian import GaussianStudent
from .gru import GRU
from .linear import Linear
from .mlp import MLP
from .quantise import quantised
from .residual import Residual
from .table import Table
from .tree import Tree
from .value_iteration import RecurrentPlanner

STUDENTS: dict[str, Callable[..., Any]] = {
    "actor_critic": ActorCritic,
    "conv": Convolution,
    "gaussian": GaussianStudent,
    "gru": GRU,
    "linear": Linear,
    "mlp": MLP,
    "recurrent_planner": RecurrentPlanner,
    "residual": Residual,
    "table": Table,
    "tree": Tree,
}
"""Each kind of student, as in the `config` of each."""


def make_student(kind: str, *, bits: Any = None, per: str = "channel", **arguments: Any) -> Any:
    """A student by name; `make_student(**student.config)` makes another of the same kind and size.

    Args:
        kind: of `STUDENTS`.
        bits: 8, 4 or "ternary" for one that is quantised (see `quantised`); None for floats.
        per: what a scale is for, if it is quantised.
        **arguments: what its class takes; for most the shape of an observation and the number of
            actions, and the number that sizes it. A student that another is made of may be given
            as its `config`.

    Raises:
        ValueError: for an unknown kind, naming those that exist.
        TypeError: for arguments that it does not take, or bits for a table or tree.
    """
    if kind not in STUDENTS:
        raise ValueError(
            f"kind={kind!r}; expected one of {sorted(STUDENTS)}{did_you_mean(kind, STUDENTS)}"
        )
    parts = {
        name: make_student(**value) if isinstance(value, dict) else value
        for name, value in arguments.items()
    }
    student = STUDENTS[kind](**parts)
    return student if bits is None else quantised(student, bits, per)


def can_be_made(config: Any) -> TypeGuard[dict[str, Any]]:
    """Whether `make_student` knows a `config`, and those of the students that it is made of."""
    return (
        isinstance(config, dict)
        and config.get("kind") in STUDENTS
        and all(can_be_made(part) for part in config.values() if isinstance(part, dict))
    )
