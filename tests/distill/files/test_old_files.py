"""Files of version 0.1, whose kinds and keys have other names today.

They were made by that version, with `planes()` below, as

    vin = make_student("recurrent_planner", seed=3, bits=8, per="tensor")
    conv = make_student("conv", observation_shape=(3, 5, 5), num_actions=4, channels=2, asks=True)

with a card whose result is called `return_kept`; the convolution's weights are multiples of 1 / 32.
The actions are those of that version.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dynamaze.distill.core.levels import LevelRange
from dynamaze.distill.core.size import Size
from dynamaze.distill.export.load import open_policy
from dynamaze.distill.files.card import ReturnEstimate
from dynamaze.distill.files.students import load_card, load_student

DATA = Path(__file__).with_name("data")
VALUE_ITERATION = [3, 3, 2, 1, 1, 3, 0, 3, 0, 3, 3, 3, 3, 3, 0, 3, 3, 0, 1, 0]
CONV = [1, 1, 3, 1, 1, 1, 1, 1, 0, 1, 3, 0, 1, 1, 1, 3, 3, 3, 1, 3]


def planes() -> np.ndarray:
    """Return 20 random mazes of 5x5 with one agent each."""
    rng = np.random.default_rng(0)
    mazes = (rng.random((20, 3, 5, 5)) < [[[0.3]], [[0.0]], [[0.1]]]).astype(np.float32)
    cells = rng.integers(25, size=(20, 1))
    np.put_along_axis(mazes[:, 1].reshape(20, -1), cells, 1.0, axis=1)
    return mazes


def test_old_value_iteration_is_read() -> None:
    student = load_student(DATA / "value_iteration_0_1.safetensors")
    assert student.config == {
        "kind": "value_iteration",
        "maps": 4,
        "iterations": None,
        "bits": 8,
        "granularity": "tensor",
    }
    assert student.action_logits(planes()).argmax(axis=1).tolist() == VALUE_ITERATION


def test_old_value_iteration_runs_compiled() -> None:
    opened = open_policy(DATA / "value_iteration_0_1.safetensors")
    assert opened.kind == "value_iteration"
    assert opened.policy.action_logits(planes()).argmax(axis=1).tolist() == VALUE_ITERATION


def test_old_convolution_is_read() -> None:
    path = DATA / "conv_0_1.safetensors"
    assert load_student(path).per_cell is True
    for policy in (load_student(path), open_policy(path).policy):
        assert policy.action_logits(planes()).argmax(axis=1).tolist() == CONV


def test_old_onnx_file_is_read() -> None:
    pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    opened = open_policy(DATA / "value_iteration_0_1.onnx")
    assert opened.kind == opened.policy.config["kind"] == "value_iteration"
    assert opened.card.normalised_return == ReturnEstimate(0.5, 0.25, 0.75, 10)
    assert opened.policy.action_logits(planes()).argmax(axis=1).tolist() == VALUE_ITERATION


def test_old_card_is_read() -> None:
    card = load_card(DATA / "value_iteration_0_1.safetensors")
    assert card.normalised_return == ReturnEstimate(0.5, 0.25, 0.75, 10)
    assert card.size == Size(113, 121, 1000)  # its time is dropped
    assert (card.training, card.held_out) == ((LevelRange(0, 10),), (LevelRange(100, 10),))
