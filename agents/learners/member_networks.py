"""Batched probabilistic networks with hand-written gradients.

Each network predicts mean and log variance of each output; the latter is kept within learned soft
bounds. At this size automatic differentiation would double the time of a step. The batch is the
last axis, so that biases and bounds are constant along contiguous memory.
"""

from __future__ import annotations

import math

import numpy as np

from dynamaze.common.arrays import Float32Array

from .networks import Parameters

BOUNDS = (-10.0, 0.5)
"""Initial soft bounds of the log variance, in target units (as in Chua et al.'s code)."""

BOUNDS_WEIGHT = 0.01
"""Weight of the bounds' distance in the loss (as in that code)."""


class MemberNetworks:
    """Networks whose parameters have a leading axis of members.

    Args:
        members: number of networks.
        sizes: number of inputs, units of each hidden layer, number of outputs.
        rng: generator of the initial weights.

    Attributes:
        layers: number of weight layers.
        outputs: number of outputs; the last layer has their means, then their log variances.
        parameters: "weight0" (members, out, in), "bias0" (members, out, 1) and so on, and "low" and
            "high" (members, outputs, 1).
    """

    def __init__(self, members: int, sizes: tuple[int, ...], rng: np.random.Generator) -> None:
        self.members, self.outputs, self.layers = members, sizes[-1], len(sizes) - 1
        sizes = (*sizes[:-1], 2 * sizes[-1])
        shapes: dict[str, tuple[int, ...]] = {}
        for layer in range(self.layers):
            shapes[f"weight{layer}"] = (members, sizes[layer + 1], sizes[layer])
            shapes[f"bias{layer}"] = (members, sizes[layer + 1], 1)
        shapes["low"] = shapes["high"] = (members, self.outputs, 1)
        self.parameters = Parameters(shapes)
        arrays = self.parameters.arrays
        for layer in range(self.layers):
            weight = arrays[f"weight{layer}"]
            deviation = np.float32(0.5 / math.sqrt(sizes[layer]))
            weight[:] = deviation * rng.standard_normal(weight.shape, dtype=np.float32)
        arrays["low"][:], arrays["high"][:] = BOUNDS
        self._buffers: dict[str, Float32Array] = {}

    def forward(self, rows: Float32Array) -> tuple[Float32Array, Float32Array]:
        """Return the (members, outputs, batch) means and log variances of (inputs, batch)."""
        outputs = self._activate(rows)[-1]
        low, high = self.parameters.arrays["low"], self.parameters.arrays["high"]
        log_variance = log_variances(outputs[:, self.outputs :], low, high)[0]
        return outputs[:, : self.outputs].copy(), log_variance

    def differentiate(
        self, rows: Float32Array, values: Float32Array, weights: Float32Array
    ) -> float:
        """Return the summed loss of the members, and write its gradient into the parameters.

        The loss is twice the negative log likelihood, averaged over rows and outputs, plus the
        bounds' term.

        Args:
            rows: (inputs, batch), standardised.
            values: (outputs, batch), standardised.
            weights: (members, 1, batch) weight of each row.
        """
        hidden = self._activate(rows)
        loss, slope = self._loss(hidden[-1], values, weights)
        arrays, slopes = self.parameters.arrays, self.parameters.slopes
        ones = np.ones((rows.shape[1], 1), dtype=np.float32)
        for layer in reversed(range(self.layers)):
            np.matmul(slope, hidden[layer].mT, out=slopes[f"weight{layer}"])
            np.matmul(slope, ones, out=slopes[f"bias{layer}"])
            if layer:
                below = self._buffer("slope", layer, *hidden[layer].shape[1:])
                np.matmul(arrays[f"weight{layer}"].mT, slope, out=below)
                slope = self._times_silu_slope(layer - 1, below)
        return loss

    def _activate(self, rows: Float32Array) -> list[Float32Array]:
        """Return the inputs of each layer, and the outputs of the last."""
        arrays, hidden = self.parameters.arrays, [rows]
        for layer in range(self.layers):
            weight, bias = arrays[f"weight{layer}"], arrays[f"bias{layer}"]
            total = self._buffer("total", layer, weight.shape[1], rows.shape[1])
            np.matmul(weight, hidden[-1], out=total)
            total += bias
            hidden.append(self._silu(layer, total) if layer < self.layers - 1 else total)
        return hidden

    def _silu(self, layer: int, total: Float32Array) -> Float32Array:
        """Return SiLU y = x s(x), with the logistic function s as a tanh, which cannot overflow."""
        twice = self._buffer("logistic", layer, *total.shape[1:])  # 2 s
        product = self._buffer("product", layer, *total.shape[1:])
        total *= 0.5
        np.tanh(total, out=twice)
        twice += 1
        return np.multiply(total, twice, out=product)

    def _times_silu_slope(self, layer: int, slope: Float32Array) -> Float32Array:
        """Multiply a gradient by the SiLU derivative s + y (1 - s) of the last forward pass."""
        buffer, twice, product = (
            self._buffer(name, layer, *slope.shape[1:]) for name in ("total", "logistic", "product")
        )
        np.subtract(2, twice, out=buffer)
        buffer *= product
        buffer += twice
        buffer *= slope
        return np.multiply(buffer, 0.5, out=slope)

    def _loss(
        self, outputs: Float32Array, values: Float32Array, weights: Float32Array
    ) -> tuple[float, Float32Array]:
        """Return the loss and its gradient in the outputs; write that in the bounds."""
        bounds, slopes = self.parameters.arrays, self.parameters.slopes
        mean, raw = outputs[:, : self.outputs], outputs[:, self.outputs :]
        log_variance, lower, upper = log_variances(raw, bounds["low"], bounds["high"])
        error = mean - values
        scaled = error * np.exp(-log_variance)
        squares = error * scaled
        counts = weights / np.float32(values.size)
        # sum of (y - mean)^2 / variance + log variance: twice the negative log likelihood
        loss = float((counts * (squares + log_variance)).sum())
        loss += BOUNDS_WEIGHT * float((bounds["high"] - bounds["low"]).sum())

        slope = self._buffer("slope", self.layers, *outputs.shape[1:])
        np.multiply(2 * counts, scaled, out=slope[:, : self.outputs])
        up = counts * (1 - squares)
        slopes["low"][:] = (up * (1 - lower)).sum(axis=2, keepdims=True) - BOUNDS_WEIGHT
        up *= lower
        slopes["high"][:] = (up * (1 - upper)).sum(axis=2, keepdims=True) + BOUNDS_WEIGHT
        np.multiply(up, upper, out=slope[:, self.outputs :])
        return loss, slope

    def _buffer(self, name: str, layer: int, width: int, batch: int) -> Float32Array:
        """Return a reusable array; allocating memory would cost more than the operation itself."""
        key, shape = f"{name}{layer}", (self.members, width, batch)
        buffer = self._buffers.get(key)
        if buffer is None or buffer.shape != shape:
            buffer = self._buffers[key] = np.empty(shape, dtype=np.float32)
        return buffer


def log_variances(
    raw: Float32Array, low: Float32Array, high: Float32Array
) -> tuple[Float32Array, Float32Array, Float32Array]:
    """Return log variances within soft bounds, as in the code of Chua et al. 2018.

    Returns:
        The log variances; their derivative in the upper-bounded value; its derivative in `raw`.
    """
    above, upper = _softplus(high - raw)
    left, lower = _softplus(high - above - low)
    return low + left, lower, upper


def _softplus(values: Float32Array) -> tuple[Float32Array, Float32Array]:
    """Return log(1 + exp(x)) and its derivative, the logistic function, without overflow."""
    result = np.maximum(values, 0) + np.log1p(np.exp(-np.abs(values)))
    return result, np.exp(values - result)
