"""Dataset distillation (Wang et al. 2018, "Dataset distillation", arXiv 1811.10959).

Differences from the paper:

1. Labels are learned too, and are soft (Bohdal, Yang and Hospedales 2020).
2. Each inner step has a step size of its own, as an exponent, so that it stays positive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dynamaze.common.optional_imports import optional_import
from dynamaze.common.validation import checked_choice, checked_integer, checked_number

from ..core.distributions import CATEGORICAL, distribution_of
from ..core.losses import Loss, Targets
from ..students.base import Student, TrainingOutput
from ..students.initial import initial_weights
from ..students.parametrised import copied
from ..training.loop import Loop
from ..training.method import Method, Update
from .layers import example_observations, has_cells

optional_import("torch", purpose=__name__)
import torch  # noqa: E402  # after the message
from torch import Tensor, nn  # noqa: E402
from torch.func import functional_call  # noqa: E402

INITIAL = ("fixed", "random")


class SyntheticStates(nn.Module):
    """Synthetic states with labels, and the step sizes of a training on them.

    Args:
        observation_shape: shape of a single observation.
        outputs: columns of a label.
        count: number of states.
        steps: number of training steps.
        step_size: initial step size.
    """

    def __init__(
        self,
        observation_shape: tuple[int, ...],
        outputs: int,
        count: int,
        steps: int,
        step_size: float,
    ) -> None:
        super().__init__()
        self.observations = nn.Parameter(torch.randn(count, *observation_shape))
        self.labels = nn.Parameter(torch.randn(count, outputs))
        self.log_step_sizes = nn.Parameter(torch.full((steps,), step_size).log())

    def trained_weights(
        self, student: Student, weights: Mapping[str, Tensor], loss: Loss, *, graph: bool = False
    ) -> dict[str, Tensor]:
        """Return a network's weights after gradient descent on all states at once.

        Args:
            student: the network; it is not changed.
            weights: initial parameters by name.
            loss: function of logits and targets.
            graph: True to keep the graph through all steps.
        """
        found = {name: weight.detach().requires_grad_() for name, weight in weights.items()}
        ones = torch.ones(len(self.labels), device=self.labels.device)
        targets = Targets(self.labels, ones)
        for size in self.log_step_sizes.exp():
            logits = functional_call(student, found, (self.observations,))
            gradients = torch.autograd.grad(
                loss(logits, targets), list(found.values()), create_graph=graph
            )
            # Equation 2: one step of gradient descent with a learned step size.
            pairs = zip(found.items(), gradients, strict=True)
            found = {name: weight - size * gradient for (name, weight), gradient in pairs}
            if not graph:
                found = {name: weight.detach().requires_grad_() for name, weight in found.items()}
        return found


@dataclass
class DatasetDistillation(Method):
    """Dataset distillation (Wang et al. 2018): a few synthetic states from which students learn.

    The states, their labels and the step sizes are trained through the whole training of a student
    on them (algorithm 1), whose loss is that of a batch of real states with the teacher's labels.
    The loop's students are the networks that are trained on the states, from nothing else. Each
    student has states of its own; they are parts ("student.states"). Observations are single ones,
    not planes with many cells; actions are Discrete.

    Args:
        states: number of synthetic states.
        inner_steps: steps of a student's training.
        initial: "fixed" for a student's own initial weights, "random" for new ones at each step.
        starts: random initial weights at each step, whose losses are averaged.
        step_size: initial step size of a student's training.
        learning_rate: step size of the states, labels and logarithms of step sizes.
    """

    states: int = 12
    inner_steps: int = 10
    initial: str = "fixed"
    starts: int = 1
    step_size: float = 1.0
    learning_rate: float = 0.03

    def setup(self, loop: Loop) -> None:
        """Add the synthetic states of each student, and a copy of its initial weights.

        Raises:
            TypeError: for a student of continuous actions, of planes with many cells, or of unknown
                observations.
            ValueError: for a number outside its range.
        """
        for name in ("states", "inner_steps", "starts"):
            checked_integer(name, getattr(self, name), 1)
        checked_choice("initial", self.initial, INITIAL)
        checked_number("step_size", self.step_size, 0, above=True)
        rate = checked_number("learning_rate", self.learning_rate, 0, above=True)
        for name, student in loop.students.items():
            if distribution_of(student) != CATEGORICAL:  # gradient descent on deviations diverges
                raise TypeError(f"student {name!r} has continuous actions; expected Discrete ones")
            if has_cells(student):
                raise TypeError(
                    f"student {name!r} is a {type(student).__name__} of planes with many cells; "
                    "expected one of single observations, such as an MLP"
                )
            loop.add(f"{name}.states", self._make_states(loop, student), learning_rate=rate)
            if self.initial == "fixed":
                loop.add(f"{name}.start", copied(student), learning_rate=0)

    def step(self, loop: Loop) -> Iterator[Update]:
        """Update the states of each student, and train the student on them from its start."""
        batch = loop.draw()
        for name, student in loop.students.items():
            part = loop.parts[f"{name}.states"]
            synthetic: Any = part.module
            starts = self._starts(loop, name)
            losses = []
            for start in starts:
                weights = synthetic.trained_weights(student, start, loop.loss, graph=True)
                logits = functional_call(student, weights, (batch.observations,))
                losses.append(loop.supervised(name, [TrainingOutput(logits)], batch))
            yield Update((part.name,), {"real": torch.stack(losses).mean()})
            weights = synthetic.trained_weights(student, starts[-1], loop.loss)
            loop.restart(name, {**student.state_dict(), **weights})

    def _starts(self, loop: Loop, name: str) -> list[dict[str, Tensor]]:
        """Return initial parameters, from which students are trained in this step."""
        names = [key for key, _ in loop.students[name].named_parameters()]
        if self.initial == "fixed":
            found = [loop.parts[f"{name}.start"].module.state_dict()]
        else:
            rng = loop.parts[f"{name}.states"].rng
            found = [initial_weights(loop.students[name], rng) for _ in range(self.starts)]
        return [{key: weights[key].to(loop.device) for key in names} for weights in found]

    def _make_states(self, loop: Loop, student: Student) -> Callable[[], SyntheticStates]:
        example = example_observations(loop, student)
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            outputs = int(student(example).shape[1])
        settings = self.states, self.inner_steps, self.step_size
        return lambda: SyntheticStates(tuple(example.shape[1:]), outputs, *settings)
