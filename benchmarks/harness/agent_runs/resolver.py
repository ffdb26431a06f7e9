"""Agents and environments from text: `--agent NAME | FILE | builtin:NAME | module:name`.

A name may have arguments, which are literals: `DynaQ(planning_steps=50, model="linear")`. Nothing
of the text is evaluated.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import inspect
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium import spaces

import dynamaze.agents
from dynamaze.common.optional_imports import optional_import
from dynamaze.common.validation import did_you_mean
from dynamaze.distill.files.builtin_students import is_builtin, student_path

AGENTS = (
    "QLearning",
    "DynaQ",
    "DynaQPlus",
    "LinearDyna",
    "MapExplorer",
    "TreeSearch",
    "ContinuousTreeSearch",
    "ForwardSearch",
    "SparseSampling",
    "MonteCarloSearch",
    "TDSearch",
    "Dyna2",
    "TrajectoryOptimisation",
)
"""Agents of `dynamaze.agents`."""

SB3_ALGORITHMS = {
    **dict.fromkeys(("A2C", "DDPG", "DQN", "PPO", "SAC", "TD3"), "stable_baselines3"),
    **dict.fromkeys(
        ("ARS", "CrossQ", "MaskablePPO", "QRDQN", "RecurrentPPO", "TQC", "TRPO"), "sb3_contrib"
    ),
}
"""Algorithm -> its library."""

RANDOM = "random"

NAMES = (RANDOM, *AGENTS, *SB3_ALGORITHMS)
"""Names of agents."""

POLICY_FILES = (".safetensors", ".onnx")

FILES = (*POLICY_FILES, ".npz", ".zip")
"""Endings of files: students, checkpoints of agents, models of Stable-Baselines3."""


class Call(NamedTuple):
    """A name with arguments."""

    name: str
    arguments: Mapping[str, Any]


def resolve_agent(text: str) -> Any:
    """Return the agent that a text names.

    Args:
        text: one of

            - `random`, an agent of `dynamaze.agents` (`DynaQ`), or an algorithm of
              Stable-Baselines3 or SB3-Contrib (`PPO`), with its default policy for the
              observations;
            - a file: a student in .safetensors or .onnx, an agent's checkpoint in .npz, which goes
              on learning, or a model of Stable-Baselines3 in .zip, which does not learn and whose
              file may run any code;
            - `builtin:NAME`, a student that comes with the package;
            - `module:name` or `path/file.py:name`, a factory or a policy of one's own.

            Names may be followed by arguments in parentheses, `name=literal`.

    Returns:
        A factory, called as `factory(env, seed=int)`, or a policy.

    Raises:
        ValueError: for an unknown name, file, module or argument; names the nearest one.
        ImportError: for an algorithm whose library is not installed.
    """
    if is_builtin(text) or Path(text).suffix in FILES:
        return StoredAgent.of(text)
    name, arguments = read_call("agent", text)
    if ":" in name:
        found = import_name("agent", name)
        return partial(found, **arguments) if arguments else found
    if name.endswith(".py"):
        raise ValueError(f"agent {text!r}; expected the name of an agent in it, {name}:NAME")
    name = RANDOM if name == "Random" else name  # as `watch` called it in version 0.1
    if name not in NAMES:
        raise ValueError(
            f"agent {text!r}; expected one of {', '.join(NAMES)}, a file ending in "
            f"{', '.join(FILES)}, builtin:NAME, or module:name{did_you_mean(name, NAMES)}"
        )
    if name in SB3_ALGORITHMS:
        return StableBaselinesAgent(sb3_algorithm(name), arguments)
    agent = RandomAgent if name == RANDOM else getattr(dynamaze.agents, name)
    check_arguments("agent", text, agent, arguments)
    return partial(agent, **arguments) if arguments else agent


def is_policy(text: str) -> bool:
    """Return True for text that names a student: a file, or one that comes with the package."""
    return is_builtin(text) or Path(text).suffix in POLICY_FILES


def names_agent(text: str) -> bool:
    """Return True if a text has the form of an agent that `resolve_agent` knows."""
    name = text.partition("(")[0].strip()
    return ":" in name or name.endswith((".py", *FILES)) or name in NAMES


def resolve_env(text: str) -> Callable[[], gym.Env[Any, Any]]:
    """Return what makes the environment that a text names.

    Args:
        text: an id, `module:id` as in Gymnasium, or `module:name` and `path/file.py:name` of a
            function or class that makes one; with arguments in parentheses, `name=literal`.

    Raises:
        ValueError: for an unknown id, module or name; names the nearest one.
    """
    name, arguments = read_call("environment", text)
    if ":" in name and not _is_id(name):
        found = import_name("environment", name)
        return partial(found, **arguments) if arguments else found
    if not _is_id(name):
        hint = did_you_mean(name, gym.registry)
        raise ValueError(f"environment {text!r}; expected a registered id or module:name{hint}")
    return partial(gym.make, name, **arguments)


def named_text(text: str) -> tuple[str, str]:
    """Split `LABEL=TEXT`; without a label the text is the name of itself."""
    match = re.fullmatch(r"([^=():/\\]+)=(.+)", text, re.DOTALL)
    if match is None or Path(text).exists():
        return text, text
    return match[1].strip(), match[2].strip()


def read_call(what: str, text: str) -> Call:
    """Read a name with arguments, such as `DynaQ(planning_steps=50)`.

    Raises:
        ValueError: for another syntax, or an argument without a name or that is no literal.
    """
    match = re.fullmatch(r"\s*([^()]+?)\s*(?:\((.*)\))?\s*", text, re.DOTALL)
    if match is None:
        raise ValueError(f"{what} {text!r}; expected NAME or NAME(argument=value, ...)")
    try:
        call = ast.parse(f"call({match[2] or ''})", mode="eval").body
        if not isinstance(call, ast.Call) or call.args or None in [k.arg for k in call.keywords]:
            raise ValueError
        arguments = {str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        raise ValueError(
            f"{what} {text!r}; expected arguments name=value with numbers, text, None, True, False "
            "or lists of these"
        ) from None
    return Call(match[1], arguments)


def import_name(what: str, text: str) -> Any:
    """Return what `module:name` or `path/file.py:name` names; the working directory counts.

    Raises:
        ValueError: for an unknown module, file or name.
    """
    place, _, name = text.rpartition(":")
    module = _import_file(what, place) if place.endswith(".py") else _import_module(what, place)
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            names = [each for each in vars(found) if not each.startswith("_")]
            raise ValueError(f"{what} {text!r}; {place} has no {name!r}{did_you_mean(name, names)}")
        found = getattr(found, part)
    return found


def _import_module(what: str, name: str) -> ModuleType:
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except (ModuleNotFoundError, ValueError, TypeError) as error:
        if isinstance(error, ModuleNotFoundError) and not f"{name}.".startswith(f"{error.name}."):
            raise  # a module that it imports
        raise ValueError(
            f"{what} in module {name!r}, which is not installed and not in {Path.cwd()}; expected "
            "module:name or path/file.py:name"
        ) from None


def _import_file(what: str, path: str) -> ModuleType:
    """Import a file as a module that other processes need not be able to import."""
    from dynamaze.benchmarks.harness.running.scheduler import send_by_value

    file = Path(path).resolve()
    if not file.is_file():
        raise ValueError(f"{what} in {path}, which does not exist; expected a Python file")
    digest = hashlib.sha256(str(file).encode()).hexdigest()[:8]
    name = f"{file.stem}_{digest}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        if str(file.parent) not in sys.path:
            sys.path.append(str(file.parent))
        send_by_value(module)  # before it runs, as it may use other processes
        _imports.append(str(path))
        try:
            spec.loader.exec_module(module)
        except ImportEnd:
            pass
        except BaseException as error:
            del sys.modules[name]
            if isinstance(error, SyntaxError | SystemExit):
                text = str(error) if isinstance(error, SyntaxError) else "it ends this process"
                raise ValueError(f"{what} in {path}, which cannot be imported: {text}") from error
            raise
        finally:
            _imports.pop()
    return sys.modules[name]


class ImportEnd(BaseException):
    """Ends the import of a script where it begins a benchmark of its own."""


_imports: list[str] = []


def end_import() -> None:
    """End the import of a file for its agents: what its script does then is not for import.

    Raises:
        ImportEnd: during such an import; what the file has defined before can be used.
    """
    if _imports:
        raise ImportEnd


def check_arguments(what: str, text: str, maker: Any, arguments: Mapping[str, Any]) -> None:
    """Check the names of the arguments of an agent or a student.

    Args:
        what: name of what `maker` makes, for the message.
        text: that named it.
        maker: class or function.
        arguments: by name.

    Raises:
        ValueError: for an unknown one.
    """
    known = inspect.signature(maker).parameters
    if any(each.kind is inspect.Parameter.VAR_KEYWORD for each in known.values()):
        return
    for name in arguments:
        if name not in known or name in ("env", "seed"):  # the caller's
            names = [each for each in known if each not in ("env", "seed")]
            raise ValueError(
                f"{what} {text!r}; {maker.__name__} has no argument {name!r}; expected one of "
                f"{', '.join(names)}{did_you_mean(name, names)}"
            )


def _is_id(name: str) -> bool:
    """Return True if Gymnasium knows an id; imports the module of `module:id`."""
    module, _, name = name.rpartition(":")
    try:
        if module:
            importlib.import_module(module)
        gym.spec(name)
    except (gym.error.Error, ModuleNotFoundError, ValueError, TypeError):
        return False
    return True


# -- agents ------------------------------------------------------------------------------------


class RandomAgent:
    """Agent that takes uniformly random actions, in any environment."""

    def __init__(self, env: gym.Env[Any, Any], *, seed: int | None = None) -> None:
        self._space = env.action_space
        self._space.seed(seed)  # a reset does not seed it

    def act(self, observation: Any) -> Any:
        """Return an action."""
        return self._space.sample()


def sb3_algorithm(name: str) -> Any:
    """Return an algorithm of Stable-Baselines3 or SB3-Contrib.

    Raises:
        ImportError: if the library is not installed.
    """
    return getattr(optional_import(SB3_ALGORITHMS[name], purpose=f"agent {name}"), name)


def is_sb3_algorithm(given: Any) -> bool:
    """Return True for a class of Stable-Baselines3 or SB3-Contrib's algorithms."""
    if not inspect.isclass(given) or "stable_baselines3" not in sys.modules:
        return False
    from stable_baselines3.common.base_class import BaseAlgorithm

    return issubclass(given, BaseAlgorithm)


@dataclass(frozen=True)
class StableBaselinesAgent:
    """Factory of an algorithm of Stable-Baselines3, with the default policy for observations."""

    algorithm: Any
    """Class of the algorithm."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Its arguments, without policy and environment; on the CPU unless they say otherwise."""

    def __call__(self, env: gym.Env[Any, Any], *, seed: int) -> Any:
        """Make the model.

        Raises:
            ValueError: for spaces or arguments that the algorithm does not support.
        """
        arguments = dict(self.arguments)
        policy = arguments.pop("policy", None) or self._policy(env.observation_space)
        try:
            return self.algorithm(policy, env, seed=seed, **{"device": "cpu", **arguments})
        except AssertionError as error:  # the library's way to refuse spaces
            raise ValueError(str(error)) from error

    def _policy(self, space: spaces.Space[Any]) -> str:
        if isinstance(space, spaces.Dict):
            kind = "MultiInput"
        elif isinstance(space, spaces.Box) and space.dtype == np.uint8 and len(space.shape) == 3:
            kind = "Cnn"
        else:
            kind = "Mlp"
        recurrent = "Lstm" if self.algorithm.__name__.startswith("Recurrent") else ""
        return f"{kind}{recurrent}Policy"


@dataclass(frozen=True)
class StoredAgent:
    """Factory of an agent in a file, which is read in each run."""

    path: Path
    """The key of its runs has the digest of the content in its place."""

    @classmethod
    def of(cls, text: str) -> StoredAgent:
        """Return the factory of a file, or of `builtin:NAME`.

        Raises:
            ValueError: if there is no such file or built-in student.
        """
        path = student_path(text)
        try:
            open(path, "rb").close()
        except OSError as error:
            raise ValueError(
                f"agent {text}: {error.strerror}; expected a file, a name or module:name"
            ) from None
        return cls(Path(path).resolve())

    @property
    def is_student(self) -> bool:
        """True for a file of a distilled student."""
        return self.path.suffix in POLICY_FILES

    def __call__(self, env: gym.Env[Any, Any], *, seed: int) -> Any:
        """Load the agent.

        Raises:
            ValueError: for a damaged or foreign file, one of an unknown agent, or a student that
                does not fit the environment.
        """
        if self.is_student:
            from dynamaze.distill.data.acting import actor_for
            from dynamaze.distill.export.load import open_policy

            return actor_for(env, open_policy(self.path).policy, self.path.name)
        if self.path.suffix == ".npz":
            return _load_checkpoint(self.path, env, seed)
        return StoredModel(load_sb3_model(self.path))


class StoredModel:
    """Policy by `predict` of a model that does not learn."""

    def __init__(self, model: Any) -> None:
        self.predict = model.predict


def _load_checkpoint(path: Path, env: gym.Env[Any, Any], seed: int) -> Any:
    """Load an agent of `dynamaze.agents` into an environment, with a new episode and seed."""
    from dynamaze.agents.checkpoint import new_name
    from dynamaze.common.storage import CheckpointError, read_checkpoint

    name = new_name("agent", str(read_checkpoint(path)[1].get("agent")))
    if name not in AGENTS:
        raise CheckpointError(
            f"checkpoint {path} holds a {name}; expected one of {', '.join(AGENTS)}"
        )
    agent = getattr(dynamaze.agents, name).load(path)
    agent.set_env(env)
    agent.seed(seed)
    return agent


def load_sb3_model(path: str | os.PathLike[str]) -> Any:
    """Load a model of Stable-Baselines3, whose file may run any code.

    Raises:
        ValueError: for a damaged or foreign file.
    """
    from dynamaze.distill.teachers import sb3

    return sb3.load_sb3(path, sb3.algorithm_of_file(Path(path)))
