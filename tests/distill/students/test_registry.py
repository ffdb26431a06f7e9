"""Students of every kind: sizes, shapes and refusals."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch

from dynamaze.distill import Policy
from dynamaze.distill.core.observations import EXPERIENCE_FEATURES
from dynamaze.distill.data.playing import output_fn
from dynamaze.distill.students.base import Student, as_student
from dynamaze.distill.students.conv import Convolution
from dynamaze.distill.students.gru import GRU
from dynamaze.distill.students.mlp import MLP, Linear
from dynamaze.distill.students.registry import STUDENTS, make_student
from dynamaze.envs.generation import MazeGenerator
from dynamaze.envs.generation.planes import query_all_cells, split_queries

from ..composite_students import COMPOSITES

SHAPE = {"observation_shape": (3, 5, 7), "num_actions": 4}
MADE: dict[str, dict[str, Any]] = {
    "experience_gru": {"width": 5},
    "map_value_iteration": {},
    "value_iteration": {},
    "residual": {"channels": 4, "blocks": 1},
    "transformer": {"layers": 1, "width": 8, "heads": 1},
    **COMPOSITES,
}
"""Kinds without an observation shape: for planes of any size, or composites."""

ON_CELLS = ("experience_gru", "map_value_iteration")
"""Kinds that act on cells, not on planes; the network of the second has maps as planes."""

NETWORKS = sorted(set(STUDENTS) - {"table", "tree"} - set(COMPOSITES))


def make(kind: str) -> Any:
    made = make_student(kind, **MADE.get(kind, SHAPE))
    if kind in ON_CELLS:
        made.grid = (5, 7)
    return made


def planes() -> np.ndarray:
    """Return six observations with one marked cell each."""
    return split_queries(query_all_cells(MazeGenerator((5, 7)), range(2)))[:6]


def test_students_cases_cover_registry() -> None:
    assert len(STUDENTS) == 13
    assert len(NETWORKS) == 9


@pytest.mark.parametrize("kind", sorted(set(STUDENTS) - {"gaussian"}))
def test_students_are_policies(kind: str) -> None:
    student = make(kind)
    seen = np.column_stack([np.arange(6), np.zeros((6, 2))]) if kind in ON_CELLS else planes()
    assert isinstance(student, Policy)
    chances = student.action_probabilities(seen)
    assert chances.shape == (6, 4)
    assert chances.dtype == np.float64
    np.testing.assert_allclose(chances.sum(axis=1), 1.0)
    recurrent = hasattr(student, "memory")
    if recurrent:
        student.memory = None
    logits = student.action_logits(seen)
    np.testing.assert_allclose(np.log(chances[:, 1] / chances[:, 0]), logits[:, 1] - logits[:, 0])
    if recurrent:
        student.memory = None
    assert student.act(seen[0]) == logits[0].argmax()


@pytest.mark.parametrize("kind", sorted(STUDENTS))
def test_config_makes_same_kind(kind: str) -> None:
    student = make(kind)
    config = json.loads(json.dumps(student.config))
    again = make_student(**config)
    assert config["kind"] == kind
    assert type(again) is type(student)
    assert again.config == student.config
    assert again.num_parameters == student.num_parameters
    assert again.multiply_adds((3, 5, 7)) == student.multiply_adds((3, 5, 7))


@pytest.mark.parametrize("kind", NETWORKS)
def test_seed_sets_initial_weights_only(kind: str) -> None:
    arguments = MADE.get(kind, SHAPE)
    before = torch.random.get_rng_state()
    one, two, other = (make_student(kind, **arguments, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    pairs = zip(one.parameters(), two.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    assert not all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("kind", NETWORKS)
def test_every_weight_gets_gradient(kind: str) -> None:
    student = make(kind)
    torch.manual_seed(0)
    with torch.no_grad():
        for weight in student.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    seen = torch.tensor(planes())
    # Sequences, so that the recurrent weights matter too.
    if kind == "experience_gru":
        seen = torch.randn(2, 6, EXPERIENCE_FEATURES)
    outputs = student(seen[None] if kind == "gru" else seen)
    (outputs * torch.randn_like(outputs)).sum().backward()
    missing = [name for name, weight in student.named_parameters() if not weight.grad.any()]
    assert missing == []


@pytest.mark.parametrize("kind", sorted(STUDENTS))
def test_students_refuse_other_shape(kind: str) -> None:
    with pytest.raises(ValueError, match=r"observations of shape \(2, 4, 5, 7\); expected \(batch"):
        output_fn(make(kind))(np.zeros((2, 4, 5, 7), dtype=np.float32))


@pytest.mark.parametrize(
    ("student", "parameters", "multiply_adds"),
    [
        (Linear((3, 2), 4), 4 * 6 + 4, 4 * 6),
        (MLP((147,), 7, 8), 8 * 147 + 8 + 7 * 8 + 7, 8 * 147 + 7 * 8),
        (
            MLP((5,), 3, 4, layers=2),
            (4 * 5 + 4) + (4 * 4 + 4) + (3 * 4 + 3),
            4 * 5 + 4 * 4 + 3 * 4,
        ),
        # Planes: 2 -> 4 -> 4 channels of 3x3 on all 35 cells, then 4 actions at one.
        (
            Convolution((3, 5, 7), 4, 4),
            (4 * 2 * 9 + 4) + (4 * 4 * 9 + 4) + (4 * 4 + 4),
            35 * (4 * 2 * 9 + 4 * 4 * 9) + 4 * 4,
        ),
        # A window of 5x5: 3x3 cells after the first, 2x2 after the second.
        (
            Convolution((2, 5, 5), 4, 3),
            (3 * 2 * 9 + 3) + (3 * 3 * 9 + 3) + (4 * 12 + 4),
            9 * 3 * 2 * 9 + 4 * 3 * 3 * 9 + 4 * 12,
        ),
        # An image of 8x6 pixels: 4x3 after the only convolution.
        (
            Convolution((8, 6, 3), 4, 2, layers=1),
            (2 * 3 * 9 + 2) + (4 * 24 + 4),
            12 * 2 * 3 * 9 + 4 * 24,
        ),
        # Three gates with two biases each, as torch has them.
        (
            GRU((2, 5, 5), 4, 6),
            3 * (6 * 50 + 6 * 6 + 2 * 6) + 4 * 6 + 4,
            3 * (6 * 50 + 6 * 6) + 4 * 6,
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Student) else None,
)
def test_sizes_match_manual_count(student: Any, parameters: int, multiply_adds: int) -> None:
    assert student.num_parameters == parameters
    assert student.multiply_adds(getattr(student, "observation_shape", None)) == multiply_adds


@pytest.mark.parametrize("number", ["width", "channels", "leaves"])
def test_size_argument_sets_parameters(number: str) -> None:
    kind = {"width": "mlp", "channels": "conv", "leaves": "tree"}[number]
    with pytest.raises(ValueError, match=f"{number}=0"):
        make_student(kind, **SHAPE, **{number: 0})
    if kind != "tree":
        sizes = [make_student(kind, **SHAPE, **{number: n}).num_parameters for n in (1, 2, 4, 8)]
        assert sizes == sorted(set(sizes))


@pytest.mark.parametrize("number", [10**12, 10**20])
@pytest.mark.parametrize(
    ("kind", "argument"),
    [
        ("mlp", "width"),
        ("mlp", "layers"),
        ("linear", "num_actions"),
        ("gru", "width"),
        ("experience_gru", "width"),
        ("conv", "channels"),
        ("residual", "blocks"),
        ("transformer", "layers"),
        ("transformer", "width"),
        ("value_iteration", "maps"),
        ("value_iteration", "iterations"),
        ("table", "num_actions"),
        ("tree", "leaves"),
    ],
)
def test_huge_students_are_refused(kind: str, argument: str, number: int) -> None:
    with pytest.raises(ValueError, match=rf"^{argument}={number}; expected"):
        make_student(kind, **{**MADE.get(kind, SHAPE), argument: number})


def test_students_of_too_many_weights_are_refused() -> None:
    with pytest.raises(ValueError, match=r"width=100000, layers=3: too large; expected at most"):
        MLP((4,), 3, 10**5, layers=3)


def test_mlp_matches_formula() -> None:
    student = MLP((2, 3), 4, 5, layers=2, seed=3)
    seen = np.random.default_rng(0).normal(size=(7, 2, 3))
    units = seen.reshape(7, 6)
    weights = [
        (layer.weight.detach().numpy(), layer.bias.detach().numpy()) for layer in student.layers
    ]
    for weight, bias in weights[:-1]:
        units = np.tanh(units @ weight.T + bias)
    expected = units @ weights[-1][0].T + weights[-1][1]
    np.testing.assert_allclose(student.action_logits(seen), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["mlp", "linear", "gru"])
def test_images_are_scaled(kind: str) -> None:
    student = make(kind)
    seen = np.random.default_rng(0).integers(256, size=(2, 3, 5, 7), dtype=np.uint8)
    first = student.action_logits(seen)
    if kind == "gru":
        student.reset()
    np.testing.assert_allclose(first, student.action_logits(seen / 255.0), atol=1e-6)


def test_conv_image_equals_planes() -> None:
    image = Convolution((8, 6, 3), 4, 2)
    window = Convolution((3, 8, 6), 4, 2, per_cell=False)
    window.load_state_dict(image.state_dict())
    seen = np.random.default_rng(0).integers(256, size=(5, 8, 6, 3), dtype=np.uint8)
    turned = np.moveaxis(seen, -1, 1)
    np.testing.assert_allclose(
        image.action_logits(seen), window.action_logits(turned), rtol=1e-5, atol=1e-6
    )


def test_conv_covers_all_cells_any_size() -> None:
    student = Convolution((3, 5, 7), 4, 3)
    for generator in (MazeGenerator((5, 7)), MazeGenerator(9)):
        queried = query_all_cells(generator, range(3))
        np.testing.assert_allclose(
            student.action_logits(queried), student.action_logits(split_queries(queried)), atol=1e-6
        )
    assert student.multiply_adds((3, 9, 9)) > student.multiply_adds((3, 5, 7))


def test_conv_refuses_bad_shape() -> None:
    with pytest.raises(ValueError, match=r"observation_shape=\(54,\); expected \(planes"):
        Convolution((54,), 4)
    with pytest.raises(ValueError, match="an observation of shape"):
        Convolution((2, 5, 5), 4, per_cell=True)


def test_custom_module_is_student() -> None:
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(6, 3))
    student = as_student(module)
    assert student.num_parameters == 3 * 6 + 3
    assert as_student(student) is student
    seen = np.ones((2, 2, 3))
    assert student.action_probabilities(seen).shape == (2, 3)
    (given,) = student.training_outputs(torch.ones(2, 2, 3), 0.5, np.random.default_rng(0))
    assert given.weights is None
    assert given.values is None
    given.logits.sum().backward()
    assert module[1].weight.grad is not None
    with pytest.raises(ValueError, match=r"the module gave \(2, 6\)|expected a tensor"):
        as_student(torch.nn.Identity()).action_logits(np.ones((2, 2, 3)))
    with pytest.raises(TypeError, match="expected a torch module"):
        as_student(len)  # type: ignore[arg-type]


def test_make_student_refuses_unknown_kind() -> None:
    with pytest.raises(ValueError, match=r"kind='mpl'; expected one of .*did you mean 'mlp'\?"):
        make_student("mpl")
