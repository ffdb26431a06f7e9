"""Origin of a stored state: the environment that it is from, and a digest of its configuration."""

from __future__ import annotations

import hashlib
import inspect
import json
import reprlib
from collections.abc import Mapping
from functools import partial
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium import vector
from gymnasium.envs.registration import load_env_creator

from .validation import printable, shown

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

TRANSFORMS = (
    gym.ActionWrapper,
    gym.ObservationWrapper,
    gym.RewardWrapper,
    vector.VectorActionWrapper,
    vector.VectorObservationWrapper,
    vector.VectorRewardWrapper,
)
"""Wrappers that declare a change of actions, observations or rewards; others may only record.

A class of other wrappers declares by `changes_dynamics = True` that it does more.
"""

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
        described = None if spec is None else [spec.id, _defaults(spec) | _dynamics_arguments(spec)]
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
            raise ValueError(f"environment {shown(data)}; expected a mapping of its origin")
        name, *digests = (data[field] for field in cls._fields)
        if not isinstance(name, str) or not all(isinstance(d, str | None) for d in digests):
            raise ValueError(f"environment {shown(data)}; expected names and digests")
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
        text = self.name[:SHOWN_LETTERS]
        if self.digest is not None:
            text += f" with configuration {self.digest[:SHOWN_DIGITS]}"
        return printable(text)


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
    to the same floats, tuples to lists, and NumPy's numbers and arrays to Python's. Classes and
    functions count by their names; only lambdas and inner functions by their code, too, which is
    that of one version of Python.
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


def _defaults(spec: Any) -> dict[str, Any]:
    """Return the defaults of an environment's arguments: given or not, they are the same."""
    maker = spec.entry_point
    try:
        maker = load_env_creator(maker) if isinstance(maker, str) else maker
        parameters = inspect.signature(maker).parameters.values()
    except (TypeError, ValueError):  # no entry point, or one without a signature
        return {}
    return {
        each.name: each.default
        for each in parameters
        if each.default is not each.empty and each.name not in NOT_DYNAMICS
    }


def _transforms(env: Any) -> list[tuple[str, Any]]:
    """Return the names and arguments of the wrappers that change what an agent sees."""
    found = []
    while isinstance(env, gym.Wrapper | vector.VectorWrapper):
        if isinstance(env, TRANSFORMS) or getattr(type(env), "changes_dynamics", False):
            # As Gymnasium's RecordConstructorArgs stores them, or attributes of their names.
            arguments = getattr(env, "_saved_kwargs", None)
            if arguments is None:
                names = list(inspect.signature(type(env)).parameters)[1:]
                own = vars(env)
                arguments = {name: own.get(name, own.get(f"_{name}")) for name in names}
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
    return _canonical_function(value)


def _canonical_function(value: Any) -> Any:
    """Return the name of a class, function or object; of a function without one its code, too."""
    if isinstance(value, partial):
        return _canonical([value.func, value.args, value.keywords])
    name = qualified_name(value)
    if not isinstance(value, FunctionType) or "<" not in name:
        return name
    around = inspect.getclosurevars(value).nonlocals.values()
    data = [one for one in around if not callable(one)]
    return [name, _canonical_code(value.__code__), _canonical(data)]


def _canonical_code(code: CodeType) -> list[Any]:
    """Return the instructions, names and constants of a function."""
    constants = [
        _canonical_code(one) if isinstance(one, CodeType) else _canonical(one)
        for one in code.co_consts
    ]
    return [code.co_code.hex(), code.co_names, constants]
