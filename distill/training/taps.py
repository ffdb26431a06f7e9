"""Taps: outputs of inner layers of a network, by module path."""

from __future__ import annotations

from typing import Any

from dynamaze.common.optional_imports import optional_import

optional_import("torch", purpose=__name__)
from torch import Tensor, nn  # noqa: E402  # after the message


class Tap:
    """Latest output of an inner layer, recorded by a forward hook while a training step runs.

    Args:
        name: name of the network, for messages.
        module: the network.
        path: path of the layer, such as "blocks.0".

    Raises:
        ValueError: for an unknown path, listing the known ones.
    """

    def __init__(self, name: str, module: nn.Module, path: str) -> None:
        layers = dict(module.named_modules())
        layers.pop("")
        if path not in layers:
            known = ", ".join(layers) or "none"
            raise ValueError(f"layer {path!r} of {name}; expected one of its layers: {known}")
        self.name, self.path = name, path
        self._layer = layers[path]
        self._output: Any = None
        self._handle: Any = None

    @property
    def output(self) -> Tensor:
        """Output of the layer in the latest call of the network.

        Raises:
            RuntimeError: if the network was not called in this training step.
        """
        if self._output is None:
            raise RuntimeError(
                f"layer {self.path!r} of {self.name} has no output in this step; expected a call "
                "of the network before"
            )
        return self._output  # type: ignore[no-any-return]  # checked in `_record`

    def open(self) -> None:
        """Begin to record."""
        self._output = None
        self._handle = self._layer.register_forward_hook(self._record)

    def close(self) -> None:
        """Stop recording, and forget the output."""
        self._handle.remove()
        self._output = None

    def _record(self, module: nn.Module, inputs: Any, output: Any) -> None:
        if not isinstance(output, Tensor):
            raise TypeError(
                f"layer {self.path!r} of {self.name} returns {type(output).__name__}; expected one "
                "that returns a tensor"
            )
        self._output = output
