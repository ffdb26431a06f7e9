"""Students that run without torch, from their files: NumPy arrays and compiled functions."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from ...core.distributions import Bounds
from ...core.gaussian_actions import GaussianPolicy
from ...core.policy import LogitPolicy
from ...files.weights import Arrays, StoredStudent, StudentFileError, fitting_error, read_weights
from .conv import build_convolution
from .gru import build_gru
from .mlp import build_mlp
from .value_iteration import build_value_iteration


def load_policy(path: str | os.PathLike[str]) -> Any:
    """Load a student from its file (see `save_student`), to run without torch.

    Returns:
        A policy with `act(observation)`, and `action_logits(observations)` or, for continuous
        actions, `action_gaussian(observations)`. For an `ActorCritic` it is the actor.

    Raises:
        StudentFileError: (a ValueError) for a file that is cut short, damaged or foreign, weights
            that do not fit their description, or a kind of student that needs torch.
    """
    stored = read_weights(path)
    return build_policy(stored, where=path)


def build_policy(stored: StoredStudent, where: object = "the student") -> Any:
    """Build the policy of `load_policy` from weights in memory.

    Args:
        stored: weights and description.
        where: name in error messages.

    Raises:
        StudentFileError: as `load_policy`.
    """
    kind = stored.config.get("kind")
    if not runs_without_torch(stored.config):
        raise StudentFileError(
            f"{where} is {describe_kind(stored.config)}, which needs torch; expected one of "
            f"{sorted(BUILDERS)}, or load_student, which loads every kind"
        )
    try:
        return BUILDERS[kind](stored.config, stored.weights)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise fitting_error(where, kind, reason) from None


def runs_without_torch(config: Mapping[str, Any]) -> bool:
    """Return True if a student with this `config`, and its part that acts, runs without torch."""
    part = _part_of(config)
    return config.get("kind") in BUILDERS and (part is None or runs_without_torch(part))


def _part_of(config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the `config` of the part that acts; None for a student without parts."""
    name = ACTING_PART.get(config.get("kind"))
    if name is None:
        return None
    part = config.get(name)
    return part if isinstance(part, Mapping) else {}


def describe_kind(config: Mapping[str, Any]) -> str:
    """Return the kind of a student and of its part that acts, for error messages."""
    part = _part_of(config)
    return f"of kind {config.get('kind')!r}" + (
        "" if part is None else f" with one {describe_kind(part)}"
    )


def _build_without_network(config: Mapping[str, Any], weights: Arrays) -> LogitPolicy:
    """Return a table or tree, which run without torch as they are."""
    from ...students.table import TableStudent
    from ...students.tree import DecisionTree

    arguments = {name: value for name, value in config.items() if name != "kind"}
    student: Any = {"table": TableStudent, "tree": DecisionTree}[config["kind"]](**arguments)
    student.set_state(weights)
    return student  # type: ignore[no-any-return]


def _acting(config: Mapping[str, Any], weights: Arrays) -> Any:
    """Build the part that acts."""
    name = ACTING_PART[config["kind"]]
    own = {
        key.removeprefix(f"{name}."): array
        for key, array in weights.items()
        if key.startswith(f"{name}.")
    }
    return BUILDERS[config[name]["kind"]](config[name], own)


def _gaussian(config: Mapping[str, Any], weights: Arrays) -> GaussianPolicy:
    return GaussianPolicy(_acting(config, weights), Bounds.from_json(config))


ACTING_PART: dict[Any, str] = {"actor_critic": "actor", "gaussian": "inner"}
"""Kind of a student with parts -> name of the part that acts."""

BUILDERS: dict[Any, Callable[[Mapping[str, Any], Arrays], Any]] = {
    "actor_critic": _acting,
    "conv": build_convolution,
    "gaussian": _gaussian,
    "gru": build_gru,
    "linear": build_mlp,
    "mlp": build_mlp,
    "table": _build_without_network,
    "tree": _build_without_network,
    "value_iteration": build_value_iteration,
}
"""Kind of a student that runs without torch -> its builder."""
