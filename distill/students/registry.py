"""Registry of students: kind -> class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeGuard

from dynamaze.common.deprecation import warn_renamed
from dynamaze.common.registry import Registry

from ..core.old_names import KINDS
from .quantise import quantised

STUDENTS: Registry[Callable[..., Any]] = Registry(
    "kind",
    {
        "actor_critic": ".composite:ActorCritic",
        "conv": ".conv:Convolution",
        "experience_gru": ".experience_gru:ExperienceGRU",
        "gaussian": ".composite:GaussianStudent",
        "gru": ".gru:GRU",
        "linear": ".mlp:Linear",
        "map_value_iteration": ".map_value_iteration:MapValueIteration",
        "mlp": ".mlp:MLP",
        "residual": ".residual:Residual",
        "table": ".table:TableStudent",
        "transformer": ".transformer:Transformer",
        "tree": ".tree:DecisionTree",
        "value_iteration": ".value_iteration:ValueIterationNetwork",
    },
    __package__,
)
"""Kind of a student, as in its `config` -> its class."""


def make_student(
    kind: str, *, bits: Any = None, granularity: str = "channel", **arguments: Any
) -> Any:
    """Make a student; `make_student(**student.config)` makes another of the same kind and size.

    Args:
        kind: a key of `STUDENTS`.
        bits: 8, 4 or "ternary" for a quantised student (see `quantised`); None for floats.
        granularity: "channel" or "tensor" scales of a quantised student.
        **arguments: arguments of the class; for most kinds the shape of an observation, the number
            of actions and a size. A student that is part of another may be given as its `config`.

    Raises:
        ValueError: for an unknown kind, listing the known ones.
        TypeError: for unknown arguments, or bits for a table or tree.
    """
    if kind in KINDS:
        warn_renamed(f'make_student("{kind}")', f'make_student("{KINDS[kind]}")')
        kind = KINDS[kind]
    if "per" in arguments:
        warn_renamed("per=", "granularity=")
        granularity = arguments.pop("per")
    made = STUDENTS.find(kind)
    parts = {
        name: make_student(**value) if isinstance(value, dict) else value
        for name, value in arguments.items()
    }
    student = made(**parts)
    return student if bits is None else quantised(student, bits, granularity)


def is_makeable(config: Any) -> TypeGuard[dict[str, Any]]:
    """Return True if `make_student` knows a `config` and those of its parts."""
    return (
        isinstance(config, dict)
        and config.get("kind") in STUDENTS
        and all(is_makeable(part) for part in config.values() if isinstance(part, dict))
    )
