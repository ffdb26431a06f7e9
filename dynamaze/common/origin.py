"""Origin of a stored state: the environment that it is from, and a digest of its configuration."""

from __future__ import annotations

import hashlib
import json
import reprlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

NOT_DYNAMICS = (
    "render_mode",
    "max_episode_steps",
    "autoreset_mode",
    "num_envs",
    "vectorization_mode",
    "vector_kwargs",
    "wrappers",
)
"""Arguments of `gymnasium.make` and `make_vec` that change no step of an environment."""

TRANSFORMS = (gym.ActionWrapper, gym.ObservationWrapper, gym.RewardWrapper)
"""Wrappers that declare a change of actions, observations or rewards; others may only record."""

SHOWN_DIGITS, SHOWN_LETTERS = 12, 200
"""Digits of a digest, and letters of a name, in messages."""


class Origin(NamedTuple):
    """Environment that a state is from. Its text names the environment and the configuration."""

    name: str  # the id and its arguments, or the class
    digest: str | None  # of the configuration; None if the environment has no such method
    spec: str | None = None  # digest of the id and the arguments; None without a spec

    @classmethod
    def of(cls, env: Any) -> Origin:
        """Return the origin of an environment's states.

        Args:
            env: an environment, single or vector, of anyone. Its method `configuration_digest` says
                which configuration it has; without it the id and the arguments of its spec do.
        """
        unwrapped = getattr(env, "unwrapped", env)
        method = getattr(unwrapped, "configuration_digest", None)
        digest = method() if callable(method) else None
        digest = digest if isinstance(digest, str) else None
        spec = getattr(unwrapped, "spec", None)
        described = None if spec is None else [spec.id, _dynamics_arguments(spec)]
        transforms = _transforms(env)
        if transforms:
            digest = None if digest is None else digest_of([digest, transforms])
            described = None if described is None else [*described, transforms]
        name = ".".join([env_name(env), *(name for name, _ in transforms)])
        return cls(name, digest, None if described is None else digest_of(described))

    @classmethod
    def from_json(cls, data: Any) -> Origin | None:
        """Return the origin that was stored as the dictionary `_asdict`; None for None.

        Raises:
            ValueError: for anything else.
        """
        if data is None:
            return None
        if not isinstance(data, Mapping) or set(data) != set(cls._fields):
            raise ValueError(f"environment {reprlib.repr(data)}; expected a mapping of its origin")
        name, *digests = (data[field] for field in cls._fields)
        if not isinstance(name, str) or not all(isinstance(d, str | None) for d in digests):
            raise ValueError(f"environment {reprlib.repr(data)}; expected names and digests")
        return cls(name, *digests)

    def is_other(self, other: Origin) -> bool:
        """Return True if two origins are known to be of different configurations."""
        if self.digest is not None and other.digest is not None:
            return self.digest != other.digest
        if self.spec is not None and other.spec is not None:
            return self.spec != other.spec
        # Only one of them can say what it is: not the same class of environments.
        return (self.digest is None) != (other.digest is None)

    def __str__(self) -> str:
        name = self.name[:SHOWN_LETTERS]
        name = name if name.isprintable() else repr(name)
        if self.digest is None:
            return name
        digest = self.digest[:SHOWN_DIGITS]
        return f"{name} with configuration {digest if digest.isalnum() else repr(digest)}"


def env_name(env: Any) -> str:
    """Return the id of an environment with its arguments, shortened, or its class."""
    unwrapped = getattr(env, "unwrapped", env)
    spec = getattr(unwrapped, "spec", None)
    if spec is None:
        return type(unwrapped).__name__
    arguments = _dynamics_arguments(spec).items()
    given = ", ".join(f"{name}={reprlib.repr(value)}" for name, value in arguments)
    return f"{spec.id}({given})" if given else str(spec.id)


def digest_of(description: Any) -> str:
    """Return the SHA-256 of plain data in a canonical form, as 64 hexadecimal digits.

    Equal in every process, on every machine and in every version of Python. Whole numbers are equal
    to the same floats, tuples to lists, and NumPy's numbers and arrays to Python's.
    """
    text = json.dumps(_canonical(description), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def qualified_name(value: Any) -> str:
    """Return module and name of a class or function, or of an object's class.

    For example "dynamaze.agents.dyna:DynaQ".
    """
    module = getattr(value, "__module__", None)
    return f"{module}:{getattr(value, '__qualname__', type(value).__qualname__)}"


def _dynamics_arguments(spec: Any) -> dict[str, Any]:
    return {name: value for name, value in spec.kwargs.items() if name not in NOT_DYNAMICS}


def _transforms(env: Any) -> list[tuple[str, Any]]:
    """Return the names and arguments of the wrappers that change what an agent sees."""
    found = []
    while isinstance(env, gym.Wrapper):
        if isinstance(env, TRANSFORMS):
            arguments = getattr(env, "_saved_kwargs", {})  # of Gymnasium's RecordConstructorArgs
            found.append((type(env).__name__, arguments))
        env = env.env
    return found


def _canonical(value: Any) -> Any:
    """Return data as lists, dictionaries, text, numbers and None, in one form for equal data."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _canonical(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(part) for part in value]
    if isinstance(value, set | frozenset):
        return sorted((_canonical(part) for part in value), key=repr)
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if value is None or isinstance(value, bool | int | str):
        return value
    return qualified_name(value)
