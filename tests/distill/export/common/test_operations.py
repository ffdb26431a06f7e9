"""Students made of known operations are exported without an exporter of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dynamaze.distill.core.distributions import Bounds
from dynamaze.distill.export.common import operations as ops
from dynamaze.distill.export.common.students import operations_of
from dynamaze.distill.export.compiled import CompiledPolicy
from dynamaze.distill.export.load import check_parity
from dynamaze.distill.students.base import Student, as_floats
from dynamaze.distill.students.conv import at_cells, split_planes
from dynamaze.distill.students.mlp import MLP
from dynamaze.distill.students.quantise import quantised
from dynamaze.distill.students.registry import make_student

from ...exporters import as_c, as_onnx
from ...student_cases import observations, random_tree

RNG = np.random.default_rng(0)
IMAGE = (6, 5, 3)


def array(module: nn.Module, name: str) -> Any:
    return getattr(module, name).detach().numpy()


def layer(module: nn.Module, kind: Any = ops.Dense, **settings: Any) -> Any:
    return kind(array(module, "weight"), array(module, "bias"), **settings)


class PerCell(Student):
    """One convolution without tanh, and a perceptron for each marked cell."""

    def __init__(self) -> None:
        super().__init__()
        self.config = {"kind": "per_cell"}
        self.maps = nn.Conv2d(2, 5, 3, padding=1)
        self.hidden, self.last = nn.Linear(5, 6), nn.Linear(6, 4)

    def forward(self, observed: Tensor) -> Tensor:
        maze, queried = split_planes(observed)
        cells = at_cells(self.maps(maze), queried)
        logits: Tensor = self.last(torch.tanh(self.hidden(cells)))
        return logits

    def operations(self) -> ops.Operations:
        return (
            ops.Planes(),
            layer(self.maps, ops.Conv3x3, tanh=False),
            ops.MarkedCells(),
            layer(self.hidden, tanh=True),
            layer(self.last),
        )


class OfImages(Student):
    """Convolutions of stride 1 and 2, and a perceptron."""

    def __init__(self) -> None:
        super().__init__()
        self.config = {"kind": "of_images"}
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.second = nn.Conv2d(4, 2, 3, padding=1, stride=2)
        self.hidden, self.last = nn.Linear(18, 6), nn.Linear(6, 4)

    def forward(self, observed: Tensor) -> Tensor:
        maps = torch.tanh(self.first(as_floats(observed, IMAGE).movedim(-1, 1)))
        units = torch.tanh(self.second(maps)).flatten(1)
        logits: Tensor = self.last(torch.tanh(self.hidden(units)))
        return logits

    def operations(self) -> ops.Operations:
        return (
            ops.Image(IMAGE, channels_last=True),
            layer(self.first, ops.Conv3x3),
            layer(self.second, ops.Conv3x3, stride=2),
            ops.Flatten(),
            layer(self.hidden, tanh=True),
            layer(self.last),
        )


def compiled(student: Any, folder: Path, seen: Any) -> Any:
    operations = operations_of(student)
    assert operations is not None
    return CompiledPolicy(operations)


every_exporter = pytest.mark.parametrize("export", [compiled, as_c, as_onnx])


@every_exporter
@pytest.mark.parametrize("bits", [None, 4])
def test_new_students_need_no_exporter(export: Any, bits: Any, tmp_path: Path) -> None:
    images = RNG.integers(0, 256, size=(300, *IMAGE), dtype=np.uint8)
    for student, queried in ((PerCell(), observations("conv", 300)), (OfImages(), images)):
        network = student if bits is None else quantised(student, bits)
        policy = export(network, tmp_path, queried[0])
        assert check_parity(network, policy, queried).same_actions >= len(queried) - 1
        best = policy.action_logits(queried[:20]).argmax(axis=1)
        assert [policy.act(one) for one in queried[:20]] == best.tolist()


def linear(outputs: int, inputs: int, **settings: Any) -> ops.Dense:
    return ops.Dense(RNG.normal(size=(outputs, inputs)), RNG.normal(size=outputs), **settings)


def gru(width: int, inputs: int) -> ops.GRUCell:
    shapes = ((3 * width, inputs), (3 * width,), (3 * width, width), (3 * width,))
    return ops.GRUCell(*(RNG.normal(size=shape) for shape in shapes))


def convolution(channels: int, inputs: int, **settings: Any) -> ops.Conv3x3:
    weight = RNG.normal(size=(channels, inputs, 3, 3))
    return ops.Conv3x3(weight, RNG.normal(size=channels), **settings)


def value_iteration() -> ops.ValueIteration:
    moves = RNG.dirichlet(np.ones(9), size=4)
    return ops.ValueIteration(RNG.normal(size=(4, 18)), moves, RNG.normal(size=4), 3.0, 2.0)


MADE: dict[str, tuple[ops.Operations, tuple[int, ...]]] = {
    "recurrent state as logits": ((ops.Vector((2, 3)), gru(4, 6)), (2, 3)),
    "recurrent state of a map": (
        (ops.Image((3, 4, 5), False), convolution(2, 3), ops.Flatten(), gru(4, 40), linear(3, 4)),
        (3, 4, 5),
    ),
    "layers around a recurrent state": (
        (ops.Vector((6,)), linear(5, 6, tanh=True), gru(4, 5), linear(3, 4, tanh=True)),
        (6,),
    ),
    "channels as logits": (
        (ops.Planes(), convolution(4, 2, tanh=False), ops.MarkedCells()),
        (3, 5, 6),
    ),
    "layer after value iteration": ((value_iteration(), linear(3, 4)), (3, 5, 6)),
    "an image without convolution": (
        (ops.Image((4, 3, 2), True), ops.Flatten(), linear(3, 24)),
        (4, 3, 2),
    ),
}
"""Operations in orders that no student of this package has, and the shape of an observation."""


@pytest.mark.parametrize("export", [as_c, as_onnx])
@pytest.mark.parametrize("name", MADE)
def test_exports_agree_on_any_operations(export: Any, name: str, tmp_path: Path) -> None:
    operations, shape = MADE[name]
    seen = RNG.random((40, *shape), dtype=np.float32)
    if operations[0].observation_shape == (3, None, None):  # type: ignore[union-attr]
        seen[:, 1] = 0.0
        seen[:, 1, 2, 3] = 1.0
    policy = CompiledPolicy(operations)
    exported = export(policy, tmp_path, seen[0])
    for _ in range(3):
        check_parity(policy, exported, seen)


@pytest.mark.parametrize("export", [as_c, as_onnx])
def test_exports_agree_on_continuous_actions(export: Any, tmp_path: Path) -> None:
    seen = RNG.random((40, 6), dtype=np.float32)
    actions = ops.Gaussian(Bounds([-1.0], [2.0], True))
    policy = CompiledPolicy((ops.Vector((6,)), linear(2, 6), actions))
    exported = export(policy, tmp_path, seen[0])
    for found, expected in zip(
        exported.action_gaussian(seen), policy.action_gaussian(seen), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(exported.act(seen[0]), policy.act(seen[0]), atol=1e-5)


@pytest.mark.parametrize(
    ("operations", "message"),
    [
        (
            (),
            "expected one of Vector, Image, Planes, ValueIteration, MapValueIteration and Tree in "
            "the first place",
        ),
        ((linear(3, 6),), "in the first place"),
        ((ops.Vector((6,)), ops.Vector((6,))), "none later"),
        ((ops.Vector((6,)), linear(3, 5)), r"operation 1 \(Dense\): weights \(3, 5\) .* 6\)"),
        ((ops.Planes(), linear(3, 2)), r"operation 1 \(Dense\): weights"),
        ((ops.Vector((6,)), convolution(3, 6)), r"operation 1 \(Conv3x3\): weights"),
        ((ops.Planes(), convolution(3, 2), ops.Flatten()), "expected one MarkedCells after Planes"),
        ((ops.Planes(), convolution(3, 2, stride=2), ops.MarkedCells()), "stride 1"),
        ((ops.Vector((6,)), gru(4, 6), gru(4, 4)), "at most one GRU"),
        ((ops.Vector((4,)), ops.Gaussian(Bounds([0], [1]))), r"4 outputs; expected 2"),
    ],
)
def test_operations_must_fit(operations: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CompiledPolicy(operations)


def test_trees_have_no_compiled_functions() -> None:
    tree = random_tree(make_student("tree", observation_shape=(5,), num_actions=3), splits=3)
    operations = operations_of(tree)
    assert operations is not None
    with pytest.raises(TypeError, match=r"a Tree; expected one of \['Vector', 'Image'"):
        CompiledPolicy(operations)


def test_class_with_other_forward_is_not_its_kind() -> None:
    class Doubled(MLP):
        def forward(self, observed: Tensor) -> Tensor:
            return 2 * super().forward(observed)

    assert operations_of(MLP((5,), 3)) is not None
    assert operations_of(Doubled((5,), 3)) is None
    assert operations_of(quantised(MLP((5,), 3))) is not None
