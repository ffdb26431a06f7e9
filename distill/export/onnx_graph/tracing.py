"""ONNX graphs of networks, traced by torch."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from dynamaze.common.optional_imports import optional_import

from ...students.parametrised import plain
from ...students.residual import Residual
from .operations import OPSET

optional_import("torch", purpose=__name__)
import torch  # noqa: E402  # after the message
from torch import Tensor, nn  # noqa: E402
from torch.nn import functional  # noqa: E402

EXAMPLES = 2
"""Batch size of the example; torch would take 1 for a constant."""


def traced(student: Any, observation: Any) -> Any:
    """Return the graph that torch traces.

    Args:
        student: network without recurrent state. If it is one for planes of any size (its
            `per_cell` is True), rows and columns of the graph's input are free.
        observation: a single one.
    """
    optional_import("onnxscript", purpose="an ONNX file")
    kind = torch.uint8 if observation.dtype == np.uint8 else torch.float32
    example = torch.as_tensor(observation).to(kind).expand(EXAMPLES, *observation.shape)
    batch = torch.export.Dim("batch")
    free: dict[int, Any] = {0: batch}
    network: Any = plain(student)  # a copy, which is changed here
    if isinstance(network, Residual):
        network.back = _BackToCells(network.back)  # type: ignore[assignment]  # called alike
    if getattr(network, "per_cell", False):
        free |= {2: torch.export.Dim("rows"), 3: torch.export.Dim("cols")}
    with _quiet():
        program = torch.onnx.export(
            WithBestAction(network).eval(),
            (example,),
            dynamo=True,
            dynamic_shapes={"observations": free},
            input_names=["observations"],
            output_names=["logits", "actions"],
            opset_version=OPSET,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    for node in model.graph.node:  # source locations, larger than the weights
        node.ClearField("doc_string")
        node.ClearField("metadata_props")
    return model


class WithBestAction(nn.Module):
    """Student that also returns the best actions."""

    def __init__(self, student: nn.Module) -> None:
        super().__init__()
        self.student = student

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        """Return (queries, actions) logits and (queries,) best actions."""
        logits = self.student(observations)
        return logits, logits.argmax(dim=1)


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
