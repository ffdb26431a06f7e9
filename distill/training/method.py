"""Interface of distillation methods: what is drawn, which loss terms, which parts are updated.

A method is a short class. The loop (`Loop`, and `Distiller`, which trains) owns everything else:
the random generators, the networks with their optimizers and schedules, checkpoints and logs.

    @dataclass
    class Sharpened(Method):
        \"\"\"Soft targets, and a penalty of the student's entropy.\"\"\"

        weight: float = 0.1

        def step(self, loop):
            batch = loop.draw()
            for name in loop.students:
                outputs = loop.answers(name, batch.observations)
                logits = outputs[-1].logits
                entropy = torch.distributions.Categorical(logits=logits).entropy().mean()
                terms = {"soft": loop.supervised(name, outputs, batch)}
                yield Update((name,), {**terms, "entropy": self.weight * entropy})

Rules for `step`:

1. Draw every batch, and compute the outputs of all networks, before the first `yield`: code after a
   `yield` runs after that update's optimizer step, with changed weights.
2. Compute outputs by `loop.answers`, never by calling a network: networks with a training schedule
   (value iteration, quantised weights) and networks that draw random numbers depend on it.
3. Networks of the method's own are added by `loop.add` in `setup`, and nowhere else, so that they
   are trained, stored and restored.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, NamedTuple

from dynamaze.common.optional_imports import optional_import
from dynamaze.common.registry import Registry
from dynamaze.common.validation import checked_number

from .loop import Loop

optional_import("torch", purpose=__name__)
from torch import Tensor  # noqa: E402  # after the message

Weight = float | Callable[[float], float]
"""Weight of a loss term, at least 0: a number, or a function of the progress in [0, 1]."""

NEEDS = ("module", "layers", "values", "reward")
"""What a method may need: the teacher as a torch module, its inner layers, its state values; and
rewards from the source."""


class Update(NamedTuple):
    """One optimizer step: its parts, and the loss terms, whose sum is minimised."""

    of: tuple[str, ...]  # names of the parts that take the step; no other gets a gradient
    terms: dict[str, Tensor]  # name -> scalar; each is logged, as "first part/name"


class Method:
    """Base class of methods, and the default: each student follows its teacher's soft targets.

    A subclass is usually a dataclass, whose fields are its settings. One with other numbers that
    change during training, and that are no part, also has `get_state() -> dict` and
    `set_state(dict)`.

    Attributes:
        needs: what the teacher or the source must give, of `NEEDS`; without it construction of the
            loop is refused.
        takes_source: False for a method that draws nothing from a batch source.
    """

    needs: ClassVar[frozenset[str]] = frozenset()
    takes_source: ClassVar[bool] = True

    def setup(self, loop: Loop) -> None:
        """Add parts and taps to the loop, once, at its construction.

        Raises:
            ValueError, TypeError: for students, a teacher or a source that the method cannot use.
        """

    def step(self, loop: Loop) -> Iterator[Update]:
        """Generate the updates of one training step."""
        batch = loop.draw()
        for name in loop.students:
            outputs = loop.answers(name, batch.observations)
            yield Update((name,), {"soft": loop.supervised(name, outputs, batch)})

    @property
    def least_students(self) -> int:
        """Number of students that the method needs at least."""
        return 1

    @property
    def config(self) -> dict[str, Any]:
        """Settings as JSON, for checkpoints and cards; networks and functions by their type."""
        method: Any = self
        fields = dataclasses.fields(method) if dataclasses.is_dataclass(method) else ()
        return {field.name: _as_json(getattr(self, field.name)) for field in fields}


METHODS: Registry[Callable[..., Method]] = Registry(
    "method",
    {
        "adversarial": "..methods.adversarial:Adversarial",
        "born_again": "..methods.born_again:BornAgain",
        "codistillation": "..methods.codistillation:Codistillation",
        "confidence_weighted": "..methods.confidence_weighted:ConfidenceWeighted",
        "data_free": "..methods.data_free:DataFree",
        "dataset": "..methods.dataset:DatasetDistillation",
        "distral": "..methods.distral:Distral",
        "dual_policy": "..methods.dual_policy:DualPolicy",
        "hints": "..methods.structured:Hints",
        "holistic": "..methods.structured:Holistic",
        "joint": "..methods.joint:Joint",
        "joint_reward": "..methods.joint_reward:JointReward",
        "kickstarting": "..methods.guided:Kickstarting",
        "layerwise": "..methods.layerwise:Layerwise",
        "mutual": "..methods.mutual:Mutual",
        "pairwise": "..methods.structured:Pairwise",
        "ppo": "..methods.reinforced:PPO",
        "privileged": "..methods.guided:Privileged",
        "proximal": "..methods.guided:Proximal",
        "soft": "..methods.soft:Soft",
    },
    __package__,
)
"""Name -> class of the method; each docstring names its paper."""


def make_method(method: str | Method, **config: Any) -> Method:
    """Return a method by its name and settings; a method is returned unchanged.

    Raises:
        ValueError: for an unknown name, listing the known ones.
        TypeError: for unknown settings, or settings of a method that is made already.
    """
    if isinstance(method, Method):
        if config:
            raise TypeError(f"settings {sorted(config)} of a method that is made already")
        return method
    made = METHODS.find(method)
    try:
        return made(**config)
    except TypeError as error:
        raise TypeError(f"method {method!r}: {error}") from None


def checked_weight(name: str, weight: Weight) -> Weight:
    """Return the weight of a loss term, which is at least 0 or a function of the progress.

    Raises:
        ValueError, TypeError: for something else.
    """
    return weight if callable(weight) else checked_number(name, weight, 0)


def weight_at(weight: Weight, progress: float) -> float:
    """Return a weight at a training progress in [0, 1].

    Raises:
        ValueError: for a function that gives a number below 0.
    """
    return checked_number("weight", weight(progress), 0) if callable(weight) else weight


def _as_json(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [_as_json(each) for each in value]
    if isinstance(value, dict):
        return {str(key): _as_json(each) for key, each in value.items()}
    return getattr(value, "__qualname__", type(value).__qualname__)
