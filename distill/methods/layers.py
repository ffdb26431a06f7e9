"""Inner layers of students and teachers: pairs of paths, shapes, projections."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from dynamaze.common.optional_imports import optional_import

from ..core.observations import MAZE_ACTIONS, PLANES
from ..students.base import Student
from ..training.loop import Loop
from ..training.taps import Tap

optional_import("torch", purpose=__name__)
import torch  # noqa: E402  # after the message
from torch import Tensor, nn  # noqa: E402

PathPairs = Sequence[tuple[str, str]]
"""Paths of a student's layer and of the teacher's layer that it is compared with."""

Layers = PathPairs | Mapping[str, PathPairs] | None
"""Pairs of all students, or of each by name; None for the last inner layer of both."""

SIDE = 7
"""Rows and columns of example mazes, where any number would do."""


class LayerPair(NamedTuple):
    """Taps of a student's layer and of the teacher's, and the shapes of their outputs."""

    student: Tap
    teacher: Tap
    student_shape: tuple[int, ...]  # of the example's output, with the batch
    teacher_shape: tuple[int, ...]

    def __str__(self) -> str:
        """Return a description for messages."""
        one = f"layer {self.student.path!r} of {self.student.name} gives {self.student_shape}"
        return f"{one} and {self.teacher.path!r} of the teacher {self.teacher_shape}"


def tap_pairs(loop: Loop, layers: Layers) -> dict[str, list[LayerPair]]:
    """Return the taps of each student's pairs of layers; in `Method.setup` only.

    Raises:
        TypeError: for a student or a teacher without inner layers, or whose observations are
            unknown.
        ValueError: for an unknown path or student.
    """
    if isinstance(layers, Mapping) and set(layers) != set(loop.students):
        raise ValueError(
            f"layers of {sorted(layers)}; expected those of each student, {sorted(loop.students)}"
        )
    found = {}
    for name, student in loop.students.items():
        own = layers[name] if isinstance(layers, Mapping) else layers
        pairs = [_default_pair(loop, name, student)] if own is None else _checked(own)
        taps = [(loop.tap(name, one), loop.tap("teacher", other)) for one, other in pairs]
        example = example_observations(loop, student)
        shapes = _output_shapes(student, [one for one, _ in taps], example)
        others = _output_shapes(loop.teacher_module(), [other for _, other in taps], example)
        found[name] = [
            LayerPair(*pair, *both)
            for pair, both in zip(taps, zip(shapes, others, strict=True), strict=True)
        ]
    return found


def example_observations(loop: Loop, student: Student) -> Tensor:
    """Return a batch of two observations of zeros, of a shape that a student takes.

    Raises:
        TypeError: where the shape is unknown.
    """
    shape = _observation_shape(student.config)
    for source in loop.sources.values():
        rows = getattr(source, "rows", None)  # of a `Dataset`
        shape = rows.observations.shape[1:] if shape is None and rows is not None else shape
    if shape is None:
        raise TypeError(
            f"a student {type(student).__name__} of unknown observations; expected one whose "
            "config has observation_shape, or a Dataset as source"
        )
    return torch.zeros((2, *shape), device=loop.device)


def has_cells(student: Student) -> bool:
    """Return True for a student with an output row for each cell that is marked in planes."""
    planes = torch.zeros((1, PLANES, SIDE, SIDE))
    planes[:, 1, 0, :PLANES] = 1.0
    weight = next(student.parameters(), None)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        try:
            outputs = student(planes if weight is None else planes.to(weight.device))
        except (ValueError, RuntimeError, IndexError, TypeError):  # of other observations
            return False
    return tuple(outputs.shape) == (PLANES, MAZE_ACTIONS)


def make_projection(shape: tuple[int, ...], to: tuple[int, ...]) -> Callable[[], nn.Module]:
    """Return a function that makes a linear map between layers, of each cell or of each row.

    Args:
        shape: of the one layer, (batch, channels, rows, cols) or (batch, ..., features).
        to: of the other.
    """
    if len(shape) == 4:
        return lambda: nn.Conv2d(shape[1], to[1], 1)
    return lambda: nn.Linear(shape[-1], to[-1])


def _default_pair(loop: Loop, name: str, student: Student) -> tuple[str, str]:
    paths: list[str] = []
    for who, module in ((f"student {name!r}", student), ("the teacher", loop.teacher_module())):
        path: Any = getattr(module, "feature_path", None)
        if path is None:
            raise TypeError(
                f"{who} is a {type(module).__name__}, whose inner layer is unknown; expected "
                "layers, pairs of paths of the student's and the teacher's layers, or a network "
                "with inner layers"
            )
        paths.append(path)
    return paths[0], paths[1]


def _checked(pairs: Any) -> list[tuple[str, str]]:
    if isinstance(pairs, str) or not pairs or any(len(pair) != 2 for pair in pairs):
        raise ValueError(f"layers={pairs!r}; expected pairs of a student's and a teacher's path")
    return [(str(one), str(other)) for one, other in pairs]


def _observation_shape(config: Mapping[str, Any]) -> tuple[int, ...] | None:
    if "observation_shape" in config:
        return tuple(config["observation_shape"])
    for part in ("inner", "actor"):
        if part in config:
            return _observation_shape(config[part])
    known = config.get("kind") in ("residual", "value_iteration", "transformer")
    return (PLANES, SIDE, SIDE) if known else None


def _output_shapes(
    module: nn.Module, taps: Sequence[Tap], example: Tensor
) -> list[tuple[int, ...]]:
    """Return the shapes of the outputs of tapped layers for an example."""
    for tap in taps:
        tap.open()
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            module(example)
        return [tuple(tap.output.shape) for tap in taps]
    finally:
        for tap in taps:
            tap.close()
