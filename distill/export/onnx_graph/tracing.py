"""Networks as ONNX graphs, as torch traces them."""

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

from ...students.inputs import as_floats
from .graphs import OPSET

EXAMPLES = 2
"""A batch of one would be taken for a batch that is always one."""


class Acting(nn.Module):
    """A student that says which action is best, too."""

    def __init__(self, student: nn.Module) -> None:
        super().__init__()
        self.student = student

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        """(answers, actions) logits, and (answers,) the best actions."""
        logits = self.student(observations)
        return logits, logits.argmax(dim=1)


class RememberingOne(nn.Module):
    """A moment of a GRU, written out: what it remembers goes in and comes out."""

    def __init__(self, student: nn.Module) -> None:
        super().__init__()
        self.student: Any = student

    def forward(self, observations: Tensor, memory: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(batch, actions) logits, (batch,) the best actions, and (batch, width) memory."""
        student, cell = self.student, self.student.cell
        flat = as_floats(observations, student.observation_shape).flatten(1)
        seen = functional.linear(flat, cell.weight_ih_l0, cell.bias_ih_l0)
        known = functional.linear(memory, cell.weight_hh_l0, cell.bias_hh_l0)
        forget_in, keep_in, new_in = seen.chunk(3, dim=1)
        forget_back, keep_back, new_back = known.chunk(3, dim=1)
        forget = torch.sigmoid(forget_in + forget_back)
        keep = torch.sigmoid(keep_in + keep_back)
        new = torch.tanh(new_in + forget * new_back)
        after = (1 - keep) * new + keep * memory
        logits = student.last(after)
        return logits, logits.argmax(dim=1), after


class _BackToCells(nn.Module):
    """The size that is asked for decides what is cut off, not how the convolution pads."""

    def __init__(self, back: nn.ConvTranspose2d) -> None:
        super().__init__()
        self.back = back

    def forward(self, hidden: Tensor, output_size: Any) -> Tensor:
        """(batch, channels, *output_size) features of the cells."""
        rows, cols = output_size
        cells = functional.conv_transpose2d(
            hidden, self.back.weight, self.back.bias, stride=2, padding=1, output_padding=1
        )
        return cells[:, :, :rows, :cols]


def of_any_size(network: Any) -> Any:
    """A `Residual` whose way back to the cells can be traced for mazes of any size; changed."""
    network.back = _BackToCells(network.back)
    return network


def traced(
    acting: nn.Module, observation: Any, *, memory: bool = False, any_size: bool = False
) -> Any:
    """The graph that torch makes of a student.

    Args:
        acting: gives what a file's outputs are.
        observation: a single one.
        memory: whether it takes a memory after the observations, and gives one.
        any_size: whether rows and columns may be others, in planes.
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
    for node in model.graph.node:  # where in the sources it comes from is more than the weights
        node.ClearField("doc_string")
        node.ClearField("metadata_props")
    return model


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what torch says of its own use of itself, and of torchvision."""
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
