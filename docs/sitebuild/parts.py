"""Parts that the site describes: agents, models, planners, action values, students and methods.

Each is found in its registry; its text is that of its docstring, and its example is a program that
tests run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from dynamaze import agents
from dynamaze.agents import MODELS, PLANNERS
from dynamaze.agents.models.registry import LEARNED_MODELS
from dynamaze.agents.values import VALUES

PROGRAMS = Path(__file__).parents[1] / "site" / "programs"

CONTINUOUS_MAZE = "DynaMazeContinuous-v0"

STUDENTS_WITH_SHAPE = ("conv", "gru", "linear", "mlp", "table", "tree")
"""Students that are given the shape of an observation and the number of actions."""

_INNER = 'make_student("mlp", observation_shape=(2,), num_actions={})'

COMPOSED = {
    "actor_critic": f",\n    actor={_INNER.format(4)},\n    critic={_INNER.format(1)},\n",
    "gaussian": f",\n    inner={_INNER.format(4)},  # two means, two log deviations\n"
    "    low=[-1, -1],\n    high=[1, 1],\n",
}
"""Student that is made of others -> its further arguments."""

METHOD_PROGRAMS = {
    "labels": ("adversarial", "born_again", "dataset", "soft"),
    "unlabelled": ("confidence_weighted",),
    "peers": ("codistillation", "mutual"),
    "network_teacher": ("hints", "pairwise"),
    "joint": ("joint",),
    "mazes": ("holistic",),
    "transformers": ("layerwise",),
    "without_data": ("data_free",),
    "rewards": ("kickstarting", "ppo", "privileged", "proximal"),
    "tasks": ("distral", "dual_policy"),
    "teacher_that_acts": ("joint_reward",),
}
"""Program in `docs/site/programs` -> methods that it is an example of."""


class Part(NamedTuple):
    """A part with what its section shows."""

    name: str  # in its registry, or its class
    described: Any  # class or function whose docstring and module describe it
    example: str  # a complete program
    path: str  # full name in the API, "" where it has no entry


class Kind(NamedTuple):
    """Parts of one kind."""

    argument: str  # the argument that takes the name, "" where the name is a class
    find: Callable[[], Iterator[Part]]


def agent_parts() -> Iterator[Part]:
    """Yield the agents: the exported classes that act, except their base class."""
    for name in agents.__all__:
        part = getattr(agents, name)
        acts = hasattr(part, "predict") and (hasattr(part, "learn") or name.endswith("TreeSearch"))
        if isinstance(part, type) and acts and part is not agents.Agent:
            yield Part(name, part, _agent_example(name, part), f"dynamaze.agents.{name}")


def _agent_example(name: str, part: Any) -> str:
    if not hasattr(part, "learn"):
        return (
            "import gymnasium as gym\n\n"
            f"from dynamaze.agents import {name}\n\n"
            f'env = gym.make("{CONTINUOUS_MAZE}")\n'
            "observation, info = env.reset(seed=0)\n"
            f"policy = {name}(env, simulations=20, depth=5, seed=0)\n"
            "action, _ = policy.predict(observation)\n"
        )
    is_continuous = name == "TrajectoryOptimisation"
    env_id, steps = (CONTINUOUS_MAZE, 50) if is_continuous else ("DynaMazeShortcut-v0", 100)
    return (
        f"from dynamaze.agents import {name}\n\n"
        f'agent = {name}("{env_id}", seed=0).learn({steps})\n'
        "action, _ = agent.predict(agent.observation, deterministic=True)\n"
    )


def _dyna_example(arguments: str, env: str = '"DynaMazeBlocking-v0"', steps: int = 500) -> str:
    return (
        f"from dynamaze.agents import DynaQ\n\nDynaQ({env}, {arguments}, seed=0).learn({steps})\n"
    )


def model_parts() -> Iterator[Part]:
    """Yield the models of `MODELS`; learned ones are described by their learner."""
    for name in MODELS:
        is_learned = name in LEARNED_MODELS
        described = _learner(name) if is_learned else MODELS[name]
        path = "" if is_learned else f"dynamaze.agents.{described.__name__}"
        steps = 100 if is_learned else 500
        yield Part(name, described, _dyna_example(f'model="{name}"', steps=steps), path)


def _learner(name: str) -> type:
    learner = LEARNED_MODELS[name](2, 2).model.learner
    return type(getattr(learner, "learners", [learner])[0])


def planner_parts() -> Iterator[Part]:
    """Yield the planners of `PLANNERS`."""
    for name, make in PLANNERS.items():
        planner = type(make(1, 0.1))
        example = _dyna_example(f'planning="{name}", planning_steps=20')
        yield Part(name, planner, example, f"dynamaze.agents.{planner.__name__}")


def value_parts() -> Iterator[Part]:
    """Yield the action values of `VALUES`."""
    for name, kind in (
        ("table", agents.TableValues),
        ("tile_coding", agents.LinearValues),
        ("network", agents.NetworkValues),
    ):
        env = '"DynaMaze-v0"' if name == "table" else "env"
        example = _dyna_example(f'values="{name}"', env, 300)
        if env == "env":
            make = f'env = gym.make("{CONTINUOUS_MAZE}", action="discrete")\n'
            head, _, call = example.partition("\n\n")
            example = f"import gymnasium as gym\n\n{head}\n\n{make}{call}"
        yield Part(name, kind, example, f"dynamaze.agents.{kind.__name__}")
    assert len(VALUES) == 3


def student_parts() -> Iterator[Part]:
    """Yield the students of `STUDENTS`."""
    from dynamaze.distill import STUDENTS

    for name in STUDENTS:
        yield Part(name, STUDENTS[name], _student_example(name), "")


def _student_example(name: str) -> str:
    shape = "(3, 9, 9)" if name == "conv" else "(54,)"
    default = f", observation_shape={shape}, num_actions=4" if name in STUDENTS_WITH_SHAPE else ""
    return (
        "from dynamaze.distill import make_student\n\n"
        f"student = make_student({_kind(name)}{COMPOSED.get(name, default)})\n"
        'print(student.num_parameters, "parameters")\n'
    )


def _kind(name: str) -> str:
    return f'\n    "{name}"' if name in COMPOSED else f'"{name}"'


def method_parts() -> Iterator[Part]:
    """Yield the methods of `METHODS`, each with the program that it fits."""
    from dynamaze.distill import METHODS

    programs = {name: file for file, names in METHOD_PROGRAMS.items() for name in names}
    for name in METHODS:
        text = (PROGRAMS / f"{programs[name]}.py").read_text(encoding="utf-8")
        yield Part(name, METHODS[name], text.replace("METHOD", name), "")


KINDS: dict[str, Kind] = {
    "agents": Kind("", agent_parts),
    "models": Kind("model", model_parts),
    "planners": Kind("planning", planner_parts),
    "values": Kind("values", value_parts),
    "students": Kind("kind", student_parts),
    "methods": Kind("method", method_parts),
}
"""Name of a page -> its parts."""


def slug(title: str) -> str:
    """Return the anchor of a heading, in GitHub's form."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
