"""What the learners made of networks share: parameters in a vector, Adam, a memory of rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.messages import optional_import

from .protocol import FloatArray, checked_state

optional_import("torch", extra="models", purpose="a learner made of networks")
import torch  # noqa: E402  # after the message that says how to get it

Float32Array = npt.NDArray[np.float32]


class Parameters:
    """Named tensors that lie in one vector, so that an optimiser's step is a few operations.

    Args:
        shapes: name -> shape.
    """

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        size = sum(int(np.prod(shape)) for shape in shapes.values())
        self.values, self.gradients = torch.zeros(size), torch.zeros(size)
        self._first, self._second = torch.zeros(size), torch.zeros(size)
        self.steps = 0
        self.tensors: dict[str, torch.Tensor] = {}
        first = 0
        for name, shape in shapes.items():
            part = slice(first, first := first + int(np.prod(shape)))
            tensor = torch.nn.Parameter(self.values[part].view(shape))
            tensor.grad = self.gradients[part].view(shape)
            self.tensors[name] = tensor
        # The same memory: what one changes the other sees.
        self.arrays: dict[str, Float32Array] = {
            name: tensor.detach().numpy() for name, tensor in self.tensors.items()
        }

    def descend(self, loss: torch.Tensor, learning_rate: float) -> None:
        """One step of Adam (Kingma & Ba 2015, algorithm 1, with its settings) down the loss."""
        self.gradients.zero_()
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own
        self.steps += 1
        self._first.lerp_(self.gradients, 0.1)
        self._second.mul_(0.999).addcmul_(self.gradients, self.gradients, value=0.001)
        root = (self._second / (1 - 0.999**self.steps)).sqrt_().add_(1e-8)
        rate = learning_rate / (1 - 0.9**self.steps)
        self.values.addcdiv_(self._first, root, value=-rate)

    def forget_steps(self) -> None:
        """Let the optimiser begin anew."""
        self._first.zero_()
        self._second.zero_()
        self.steps = 0

    def get_state(self) -> dict[str, Any]:
        """The values and what Adam remembers."""
        return {
            "values": self.values.numpy().copy(),
            "first": self._first.numpy().copy(),
            "second": self._second.numpy().copy(),
            "steps": self.steps,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned, checked by `checked_state`."""
        for name, own in (
            ("values", self.values),
            ("first", self._first),
            ("second", self._second),
        ):
            own.copy_(torch.from_numpy(state[name]))
        self.steps = state["steps"]


class Memory:
    """The newest rows, up to a capacity; then the oldest give way.

    Args:
        capacity: rows at most.
        columns: name -> numbers in a row.
    """

    def __init__(self, capacity: int, columns: Mapping[str, int]) -> None:
        self.capacity = capacity
        self.columns = dict(columns)
        self.seen = 0
        self._columns = {name: np.zeros((0, width)) for name, width in columns.items()}

    @property
    def size(self) -> int:
        """How many rows there are."""
        return min(self.seen, self.capacity)

    def __getitem__(self, name: str) -> FloatArray:
        """(size, width) a column's rows, in no order."""
        return self._columns[name][: self.size]

    def append(self, **rows: FloatArray) -> None:
        """Add rows to all columns."""
        (number, *_) = (len(each) for each in rows.values())
        needed = min(self.seen + number, self.capacity)
        places = np.arange(self.seen, self.seen + number)[-self.capacity :] % self.capacity
        for name in self._columns:
            self._reserve(name, needed)
            self._columns[name][places] = rows[name][-self.capacity :]
        self.seen += number

    def _reserve(self, name: str, needed: int) -> None:
        column = self._columns[name]
        if needed > len(column):
            more = min(max(needed, 2 * len(column)), self.capacity) - len(column)
            self._columns[name] = np.concatenate([column, np.zeros((more, column.shape[1]))])

    def get_state(self) -> dict[str, Any]:
        """The rows in use, and how many were ever seen."""
        return {**{name: self[name].copy() for name in self._columns}, "seen": self.seen}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned.

        Raises:
            ValueError: if it is another kind of state; the memory is then as it was.
        """
        seen = state.get("seen")
        size = min(seen, self.capacity) if isinstance(seen, int) else 0
        shapes = {name: (size, column.shape[1]) for name, column in self._columns.items()}
        given = checked_state(state, self.get_state(), shapes)
        self.seen = given.pop("seen")
        self._columns = given


def new_generator(seed: int) -> torch.Generator:
    """A generator of our own; torch's global one is never touched."""
    return torch.Generator().manual_seed(seed)


def generator_state(generator: torch.Generator) -> npt.NDArray[np.uint8]:
    """Where a generator stands, as bytes."""
    return generator.get_state().numpy().copy()


def set_generator_state(generator: torch.Generator, state: npt.NDArray[np.uint8]) -> None:
    """Put a generator where it stood."""
    generator.set_state(torch.from_numpy(state))


def prefixed(prefix: str, state: dict[str, Any]) -> dict[str, Any]:
    """A part's state under names of its own."""
    return {f"{prefix}.{name}": value for name, value in state.items()}


def part_of(prefix: str, state: dict[str, Any]) -> dict[str, Any]:
    """The part's state that `prefixed` put in."""
    start = f"{prefix}."
    return {name[len(start) :]: value for name, value in state.items() if name.startswith(start)}
