"""ONNX graphs of networks, traced by torch."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from dynamaze.common.optional_imports import optional_import

from ...students.base import as_floats
from .graphs import OPSET

EXAMPLES = 2
"""Batch size of the example; torch would take 1 for a constant."""


class WithBestAction(nn.Module):
    """Student that also returns the best actions."""

    def __init__(self, student: nn.Module) -> None:
        super().__init__()
        self.student = student

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        """Return (queries, actions) logits and (queries,) best actions."""
        logits = self.student(observations)
        return logits, logits.argmax(dim=1)


class GRUStep(nn.Module):
    """One step of a GRU with its state as input and output."""

    def __init__(self, student: nn.Module) -> None:
        super().__init__()
        self.student: Any = student

    def forward(self, observations: Tensor, memory: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return (batch, actions) logits, (batch,) best actions and the (batch, width) state."""
        student, cell = self.student, self.student.cell
        flat = as_floats(observations, student.observation_shape).flatten(1)
        # torch's equations of nn.GRU, whose own export does not take a free batch size and a state.
        seen = functional.linear(flat, cell.weight_ih_l0, cell.bias_ih_l0)
        known = functional.linear(memory, cell.weight_hh_l0, cell.bias_hh_l0)
        reset_in, update_in, new_in = seen.chunk(3, dim=1)
        reset_back, update_back, new_back = known.chunk(3, dim=1)
        reset = torch.sigmoid(reset_in + reset_back)
        update = torch.sigmoid(update_in + update_back)
        new = torch.tanh(new_in + reset * new_back)
        after = (1 - update) * new + update * memory
        logits = student.last(after)
        return logits, logits.argmax(dim=1), after


class _BackToCells(nn.Module):
    """Transposed convolution that is cropped to the requested size, so that it can be traced."""

    def __init__(self, back: nn.ConvTranspose2d) -> None:
        super().__init__()
        self.back = back

    def forward(self, hidden: Tensor, output_size: Any) -> Tensor:
        """Return (batch, channels, *output_size) features of the cells."""
        rows, cols = output_size
        cells = functional.conv_transpose2d(
            hidden, self.back.weight, self.back.bias, stride=2, padding=1, output_padding=1
        )
        return cells[:, :, :rows, :cols]


def with_any_size(network: Any) -> Any:
    """Make the transposed convolution of a `Residual` traceable for any size, in place."""
    network.back = _BackToCells(network.back)
    return network


def traced(
    acting: nn.Module, observation: Any, *, memory: bool = False, any_size: bool = False
) -> Any:
    """Return the graph that torch traces.

    Args:
        acting: module with the outputs of the file.
        observation: a single one.
        memory: True if it takes a recurrent state after the observations, and returns one.
        any_size: True if rows and columns of planes are free.
    """
    optional_import("onnxscript", extra="onnx", purpose="an ONNX file")
    kind = torch.uint8 if observation.dtype == np.uint8 else torch.float32
    example = torch.as_tensor(observation).to(kind).expand(EXAMPLES, *observation.shape)
    batch = torch.export.Dim("batch")
    free: dict[str, Any] = {"observations": {0: batch}}
    given, outputs = [example], ["logits", "actions"]
    student: Any = acting.student
    if any_size:
        free["observations"] |= {2: torch.export.Dim("rows"), 3: torch.export.Dim("cols")}
    if memory:
        free["memory"] = {0: batch}
        given.append(torch.zeros(EXAMPLES, student.width))
        outputs.append("memory_after")
    modes = [(part, part.training) for part in student.modules()]
    try:
        with _quiet():
            program = torch.onnx.export(
                acting.eval(),
                tuple(given),
                dynamo=True,
                dynamic_shapes=free,
                input_names=[*free],
                output_names=outputs,
                opset_version=OPSET,
                verbose=False,
            )
    finally:
        for part, training in modes:
            part.training = training
    assert program is not None
    model = program.model_proto
    for node in model.graph.node:  # source locations, larger than the weights
        node.ClearField("doc_string")
        node.ClearField("metadata_props")
    return model


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress torch's warnings about its own exporter, and about torchvision."""
    log = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*LeafSpec", category=FutureWarning)
            warnings.filterwarnings("ignore", message="# The axis name", category=UserWarning)
            yield
    finally:
        log.setLevel(level)
