"""Students from their files, to run without torch: NumPy arrays, and compiled rules."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from ...core.distributions import Bounds
from ...core.gaussian_actions import GaussianPolicy
from ...core.logits import LogitPolicy
from ...files.safetensors import Arrays, Stored, StudentFileError, fitting_error, read_weights
from .conv import conv_policy
from .gru import gru_policy
from .mlp import layers_policy
from .value_iteration import planner_policy


def load_policy(path: str | os.PathLike[str]) -> Any:
    """A student from its file (see `save_student`), to run without torch.

    Returns:
        A policy with `act(observation)`, and `action_logits(observations)` or, of continuous
        actions, `action_gaussian(observations)`. Of an `ActorCritic` it is the actor.

    Raises:
        StudentFileError: (a ValueError) for a file that is cut short, damaged or foreign, weights
            that do not fit their description, or a kind of student that needs torch.
    """
    stored = read_weights(path)
    return policy_of(stored, where=path)


def policy_of(stored: Stored, where: object = "the student") -> Any:
    """What `load_policy` gives, from weights at hand.

    Args:
        stored: weights and description.
        where: for messages.

    Raises:
        StudentFileError: as `load_policy`.
    """
    kind = stored.config.get("kind")
    if not runs_without_torch(stored.config):
        raise StudentFileError(
            f"{where} is {told(stored.config)}, which needs torch; expected one of "
            f"{sorted(RUNS)}, or load_student, which loads all"
        )
    try:
        return RUNS[kind](stored.config, stored.weights)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise fitting_error(where, kind, what) from None


def runs_without_torch(config: Mapping[str, Any]) -> bool:
    """Whether a student of such a description does, and the one that acts in it."""
    acts = _part_of(config)
    return config.get("kind") in RUNS and (acts is None or runs_without_torch(acts))


def _part_of(config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The description of the part that acts; None of one that acts itself."""
    name = ACTS.get(config.get("kind"))
    if name is None:
        return None
    part = config.get(name)
    return part if isinstance(part, Mapping) else {}


def told(config: Mapping[str, Any]) -> str:
    """What messages say of a student of such a description, and of the one that acts in it."""
    part = _part_of(config)
    return f"of kind {config.get('kind')!r}" + ("" if part is None else f" with one {told(part)}")


def _no_network(config: Mapping[str, Any], weights: Arrays) -> LogitPolicy:
    """Tables and trees have no torch in them, and run as they are."""
    from ...students.table import Table
    from ...students.tree import Tree

    arguments = {name: value for name, value in config.items() if name != "kind"}
    student: Any = {"table": Table, "tree": Tree}[config["kind"]](**arguments)
    student.set_state(weights)
    return student  # type: ignore[no-any-return]


def _acting(config: Mapping[str, Any], weights: Arrays) -> Any:
    """The part that acts."""
    name = ACTS[config["kind"]]
    own = {
        key.removeprefix(f"{name}."): array
        for key, array in weights.items()
        if key.startswith(f"{name}.")
    }
    return RUNS[config[name]["kind"]](config[name], own)


def _gaussian(config: Mapping[str, Any], weights: Arrays) -> GaussianPolicy:
    return GaussianPolicy(_acting(config, weights), Bounds.from_json(config))


ACTS: dict[Any, str] = {"actor_critic": "actor", "gaussian": "inner"}
"""Students that are made of others, and the part that acts."""

RUNS: dict[Any, Callable[[Mapping[str, Any], Arrays], Any]] = {
    "actor_critic": _acting,
    "conv": conv_policy,
    "gaussian": _gaussian,
    "gru": gru_policy,
    "linear": layers_policy,
    "mlp": layers_policy,
    "recurrent_planner": planner_policy,
    "table": _no_network,
    "tree": _no_network,
}
"""How each kind that runs without torch is made."""
