"""The transformer: its formula, positions, inner layers and training."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from dynamaze.distill.data.source import FunctionSource
from dynamaze.distill.students.registry import make_student
from dynamaze.distill.students.transformer import Transformer, rotated, rotation_of
from dynamaze.distill.training.distiller import Distiller
from dynamaze.envs.generation import MazeGenerator
from dynamaze.envs.generation.planes import ShortestPathPolicy, query_all_cells, split_queries

MAPS = ["blocks.0.attention.scores", "blocks.0.attention.weights"]
PATHS = ["blocks.0", "blocks.0.attention", *MAPS, "blocks.1.mlp"]


def small() -> Transformer:
    """Return a transformer of two blocks with no weight at zero."""
    student = Transformer(2, 16, 2, mlp_ratio=3, seed=1)
    draw = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for weight in student.parameters():
            weight.add_(0.3 * torch.randn(weight.shape, generator=draw))
    return student


def planes(rows: int = 4, cols: int = 5) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(0)
    return (rng.random((3, 3, rows, cols)) < 0.4).astype(np.float32)


def tapped(student: Transformer, path: str, seen: np.ndarray[Any, Any]) -> tuple[Any, Any, Any]:
    """Return the logits of a pass, and the inputs and outputs of an inner layer, as arrays."""
    found: list[Any] = []
    handle = student.get_submodule(path).register_forward_hook(
        lambda _, given, output: found.append((given[0].detach().numpy(), output.detach().numpy()))
    )
    logits = student.action_logits(seen)
    handle.remove()
    assert len(found) == 1
    return logits, *found[0]


# -- the formula, in double precision by NumPy -----------------------------------------------------


class Reference:
    """The network of one maze, cell by cell; rotations as products of complex numbers."""

    def __init__(self, student: Transformer) -> None:
        self.weights = {
            name: weight.detach().numpy().astype(np.float64)
            for name, weight in student.named_parameters()
        }
        self.heads = student.heads

    def linear(self, path: str, rows: Any) -> Any:
        weight = self.weights[f"{path}.weight"]
        return rows @ weight.reshape(len(weight), -1).T + self.weights[f"{path}.bias"]

    def norm(self, path: str, rows: Any) -> Any:
        centred = rows - rows.mean(axis=1, keepdims=True)
        unit = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5)
        return unit * self.weights[f"{path}.weight"] + self.weights[f"{path}.bias"]

    def attention(self, path: str, rows: Any, cells: list[tuple[int, int]]) -> tuple[Any, Any]:
        parts = self.linear(f"{path}.inputs", rows)
        width = rows.shape[1] // self.heads
        angles = [100.0 ** (-k / (width // 4)) for k in range(width // 4)]
        turns = np.array([[np.exp(1j * at * w) for at in cell for w in angles] for cell in cells])
        maps, mixed = [], []
        for head in range(self.heads):
            query, key, value = (
                parts[:, part * rows.shape[1] + head * width :][:, :width] for part in range(3)
            )
            one, other = (
                turns * (each[:, : width // 2] + 1j * each[:, width // 2 :])
                for each in (query, key)
            )
            scores = (one @ other.conj().T).real / np.sqrt(width)
            chances = np.exp(scores - scores.max(axis=1, keepdims=True))
            maps.append(chances / chances.sum(axis=1, keepdims=True))
            mixed.append(maps[-1] @ value)
        return np.stack(maps), self.linear(f"{path}.output", np.concatenate(mixed, axis=1))

    def run(self, maze: Any) -> tuple[Any, list[Any], list[Any]]:
        """Return the logits at marked cells, the hidden states and the attention maps."""
        rows, cols = maze.shape[1:]
        cells = [(row, col) for row in range(rows) for col in range(cols)]
        walled = np.zeros((2, rows + 2, cols + 2))
        walled[0] = 1.0
        walled[:, 1:-1, 1:-1] = maze[[0, 2]]
        patches = np.array([walled[:, r : r + 3, c : c + 3].ravel() for r, c in cells])
        tokens, states, maps = self.linear("embedding", patches), [], []
        gelu = np.vectorize(lambda x: x * 0.5 * (1 + math.erf(x / math.sqrt(2))))
        for block in ("blocks.0", "blocks.1"):
            chances, mixed = self.attention(
                f"{block}.attention", self.norm(f"{block}.attention_norm", tokens), cells
            )
            tokens = tokens + mixed
            units = gelu(self.linear(f"{block}.mlp.0", self.norm(f"{block}.mlp_norm", tokens)))
            tokens = tokens + self.linear(f"{block}.mlp.2", units)
            states.append(tokens)
            maps.append(chances)
        marked = tokens[maze[1].ravel() > 0.5]
        return self.linear("last", self.norm("norm", marked)), states, maps


def test_transformer_matches_formula() -> None:
    student, seen = small(), planes()
    reference = Reference(student)
    results = [reference.run(maze) for maze in seen]
    logits = np.concatenate([each[0] for each in results])
    np.testing.assert_allclose(student.action_logits(seen), logits, rtol=2e-5, atol=2e-5)
    for block in range(2):
        _, _, states = tapped(student, f"blocks.{block}", seen)
        expected = np.stack([each[1][block] for each in results])
        np.testing.assert_allclose(states, expected, rtol=2e-5, atol=2e-5)
        hooked, scores, maps = tapped(student, f"blocks.{block}.attention.weights", seen)
        expected = np.stack([each[2][block] for each in results])
        np.testing.assert_allclose(maps, expected, rtol=2e-5, atol=1e-6)
        np.testing.assert_allclose(torch.softmax(torch.tensor(scores), -1), maps, atol=1e-6)
        _, _, tapped_scores = tapped(student, f"blocks.{block}.attention.scores", seen)
        np.testing.assert_array_equal(tapped_scores, scores)
        np.testing.assert_allclose(hooked, logits, rtol=2e-5, atol=2e-5)


def test_transformer_size_matches_manual_count() -> None:
    student = Transformer(2, 16, 2, mlp_ratio=3)
    block = 2 * 2 * 16 + (16 * 48 + 48) + (16 * 16 + 16) + (16 * 48 + 48) + (48 * 16 + 16)
    assert student.num_parameters == (2 * 9 * 16 + 16) + 2 * block + 2 * 16 + (16 * 4 + 4)
    # Of each of 35 cells: the embedding, four projections, the MLP, 35 scores and their mean.
    each = 16 * (3 * 16) + 16 * 16 + 2 * 16 * 48 + 2 * 35 * 16
    assert student.multiply_adds((3, 5, 7)) == 35 * (18 * 16 + 2 * each) + 16 * 4


def test_scores_depend_on_offset_alone() -> None:
    rng = np.random.default_rng(0)
    query, key = (torch.tensor(rng.normal(size=8)) for _ in range(2))
    cosines, sines = (part.double().view(6, 7, 4) for part in rotation_of(6, 7, 8))

    def score(one: tuple[int, int], other: tuple[int, int]) -> float:
        turned = [
            rotated(vector, (cosines[cell], sines[cell]))
            for vector, cell in ((query, one), (key, other))
        ]
        return float(turned[0] @ turned[1])

    assert score((0, 0), (0, 0)) == pytest.approx(float(query @ key))
    for one, other in (((0, 0), (2, 3)), ((1, 4), (0, 1)), ((2, 2), (2, 5))):
        shifted = [(row + 3, col + 1) for row, col in (one, other)]
        assert score(one, other) == pytest.approx(score(*shifted), rel=1e-5)
    # A row more is not a column more, nor a row less.
    others = [score((3, 3), cell) for cell in ((4, 3), (3, 4), (2, 3), (3, 2))]
    assert min(np.diff(sorted(others))) > 1e-3


def test_queried_cells_independent_at_any_size() -> None:
    student = small()
    for generator in (MazeGenerator((5, 7)), MazeGenerator(9)):
        queried = query_all_cells(generator, range(2))
        np.testing.assert_allclose(
            student.action_logits(queried), student.action_logits(split_queries(queried)), atol=1e-5
        )


@pytest.mark.parametrize("path", PATHS)
def test_inner_layers_by_path_have_gradients(path: str) -> None:
    student, seen = small(), planes()
    outputs: list[torch.Tensor] = []
    student.get_submodule(path).register_forward_hook(lambda _, __, out: outputs.append(out))
    student(torch.tensor(seen))
    cells = 4 * 5
    expected = (3, 2, cells, cells) if path in MAPS else (3, cells, 16)
    assert tuple(outputs[0].shape) == expected
    outputs[0].square().sum().backward()
    gradient = student.embedding.weight.grad
    assert gradient is not None
    assert gradient.any()


def test_maps_cost_nothing_without_hook() -> None:
    student, calls = small(), []
    softmax = student.blocks[1].attention.weights
    softmax.forward = lambda scores: calls.append(scores) or torch.softmax(scores, -1)
    before = student.action_logits(planes())
    assert calls == []
    handle = softmax.register_forward_hook(lambda *_: None)
    np.testing.assert_allclose(student.action_logits(planes()), before, rtol=1e-5, atol=1e-5)
    assert len(calls) == 1
    handle.remove()
    np.testing.assert_array_equal(student.action_logits(planes()), before)
    assert len(calls) == 1


def test_transformer_learns_exact_policy() -> None:
    mazes = query_all_cells(MazeGenerator((3, 5)), range(8))
    student = Transformer(1, 32, seed=0)
    source = FunctionSource(ShortestPathPolicy(), lambda *_: mazes)
    Distiller(student, source, total_steps=60, learning_rate=1e-2).distil()
    chosen = student.action_logits(mazes).argmax(axis=1)
    optimal = ShortestPathPolicy().action_probabilities(mazes)
    assert (optimal[np.arange(len(chosen)), chosen] > 0).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"width": 30}, "width=30, heads=4; expected a width that is a multiple of 4 "),
        ({"width": 24, "heads": 4}, "such as 16"),
        ({"width": 64, "heads": 32}, "such as 128"),
        ({"layers": 0}, "layers=0; expected a whole number"),
        ({"heads": 0}, "heads=0; expected a whole number"),
        ({"mlp_ratio": 0}, "mlp_ratio=0; expected a whole number"),
        ({"width": 10**5, "heads": 1}, "too large; expected at most"),
    ],
)
def test_transformer_refuses_sizes(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_student("transformer", **arguments)


def test_transformer_refuses_other_planes() -> None:
    with pytest.raises(ValueError, match=r"shape \(2, 4, 5, 5\); expected \(batch, 3, rows, cols"):
        Transformer(1, 16).action_logits(np.zeros((2, 4, 5, 5), dtype=np.float32))
    with pytest.raises(ValueError, match=r"of shape \(4, 5, 5\); expected \(3, rows, cols\)"):
        Transformer(1, 16).multiply_adds((4, 5, 5))
