"""Probabilistic networks of one shape side by side: forward, loss, and gradients by hand.

Each network gives a mean and a log variance of each output; the latter is kept within soft bounds
that are learned. A step of networks of this size is short, and automatic differentiation adds as
much again: by hand, in arrays that are used again, NumPy needs less.

The batch is the last axis, so that biases and bounds are one number for a whole stretch of memory.
"""

from __future__ import annotations

import math

import numpy as np

from dynamaze.common.arrays import Float32Array

from .networks import Parameters

BOUNDS = (-10.0, 0.5)
"""The log variance's first soft bounds, in the targets' units (as in Chua et al.'s code)."""

BOUNDS_WEIGHT = 0.01
"""How much the loss pulls the bounds together (as there)."""


class MemberNetworks:
    """Networks whose parameters have a further axis, the members'.

    Args:
        members: how many networks.
        sizes: numbers that go in, units of each hidden layer, numbers that come out.
        rng: settles the first weights.

    Attributes:
        layers: how many layers of weights.
        outputs: numbers that come out; the last layer has as many means, and then log variances.
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
        self._rooms: dict[str, Float32Array] = {}

    def forward(self, rows: Float32Array) -> tuple[Float32Array, Float32Array]:
        """(members, outputs, batch) means and log variances of (inputs, batch)."""
        outputs = self._activate(rows)[-1]
        low, high = self.parameters.arrays["low"], self.parameters.arrays["high"]
        log_variance = log_variances(outputs[:, self.outputs :], low, high)[0]
        return outputs[:, : self.outputs].copy(), log_variance

    def differentiate(
        self, rows: Float32Array, values: Float32Array, weights: Float32Array
    ) -> float:
        """The summed loss of the members; its slopes are left in the parameters.

        It is twice the negative log likelihood, the mean over rows and outputs, and the pull on the
        bounds.

        Args:
            rows: (inputs, batch) in units.
            values: (outputs, batch) in units.
            weights: (members, 1, batch) how often each row counts.
        """
        hidden = self._activate(rows)
        loss, slope = self._loss(hidden[-1], values, weights)
        arrays, slopes = self.parameters.arrays, self.parameters.slopes
        ones = np.ones((rows.shape[1], 1), dtype=np.float32)
        for layer in reversed(range(self.layers)):
            np.matmul(slope, hidden[layer].mT, out=slopes[f"weight{layer}"])
            np.matmul(slope, ones, out=slopes[f"bias{layer}"])
            if layer:
                below = self._room("slope", layer, *hidden[layer].shape[1:])
                np.matmul(arrays[f"weight{layer}"].mT, slope, out=below)
                slope = self._times_silu_slope(layer - 1, below)
        return loss

    def _activate(self, rows: Float32Array) -> list[Float32Array]:
        """What goes into each layer, and what comes out of the last."""
        arrays, hidden = self.parameters.arrays, [rows]
        for layer in range(self.layers):
            weight, bias = arrays[f"weight{layer}"], arrays[f"bias{layer}"]
            total = self._room("total", layer, weight.shape[1], rows.shape[1])
            np.matmul(weight, hidden[-1], out=total)
            total += bias
            hidden.append(self._silu(layer, total) if layer < self.layers - 1 else total)
        return hidden

    def _silu(self, layer: int, total: Float32Array) -> Float32Array:
        """Y = x s(x), with the logistic function s by the tangent, which cannot run over."""
        twice = self._room("logistic", layer, *total.shape[1:])  # 2 s
        product = self._room("product", layer, *total.shape[1:])
        total *= 0.5
        np.tanh(total, out=twice)
        twice += 1
        return np.multiply(total, twice, out=product)

    def _times_silu_slope(self, layer: int, slope: Float32Array) -> Float32Array:
        """Times the slope of `_silu` where it was last, s + y (1 - s)."""
        room, twice, product = (
            self._room(name, layer, *slope.shape[1:]) for name in ("total", "logistic", "product")
        )
        np.subtract(2, twice, out=room)
        room *= product
        room += twice
        room *= slope
        return np.multiply(room, 0.5, out=slope)

    def _loss(
        self, outputs: Float32Array, values: Float32Array, weights: Float32Array
    ) -> tuple[float, Float32Array]:
        """The loss, and its slope in the outputs; that in the bounds is left in the parameters."""
        bounds, slopes = self.parameters.arrays, self.parameters.slopes
        mean, raw = outputs[:, : self.outputs], outputs[:, self.outputs :]
        log_variance, lower, upper = log_variances(raw, bounds["low"], bounds["high"])
        error = mean - values
        scaled = error * np.exp(-log_variance)
        squares = error * scaled
        counts = weights / np.float32(values.size)
        loss = float((counts * (squares + log_variance)).sum())
        loss += BOUNDS_WEIGHT * float((bounds["high"] - bounds["low"]).sum())

        slope = self._room("slope", self.layers, *outputs.shape[1:])
        np.multiply(2 * counts, scaled, out=slope[:, : self.outputs])
        up = counts * (1 - squares)
        slopes["low"][:] = (up * (1 - lower)).sum(axis=2, keepdims=True) - BOUNDS_WEIGHT
        up *= lower
        slopes["high"][:] = (up * (1 - upper)).sum(axis=2, keepdims=True) + BOUNDS_WEIGHT
        np.multiply(up, upper, out=slope[:, self.outputs :])
        return loss, slope

    def _room(self, name: str, layer: int, width: int, batch: int) -> Float32Array:
        """An array to write into; new memory would cost more than what is done in it."""
        key, shape = f"{name}{layer}", (self.members, width, batch)
        room = self._rooms.get(key)
        if room is None or room.shape != shape:
            room = self._rooms[key] = np.empty(shape, dtype=np.float32)
        return room


def log_variances(
    raw: Float32Array, low: Float32Array, high: Float32Array
) -> tuple[Float32Array, Float32Array, Float32Array]:
    """Log variances within soft bounds, as in the code of Chua et al. 2018.

    Returns:
        The log variances; their slope in what the upper bound leaves; and its slope in `raw`.
    """
    above, upper = _softplus(high - raw)
    left, lower = _softplus(high - above - low)
    return low + left, lower, upper


def _softplus(values: Float32Array) -> tuple[Float32Array, Float32Array]:
    """Log(1 + exp(x)) and its slope, the logistic function; neither runs over."""
    result = np.maximum(values, 0) + np.log1p(np.exp(-np.abs(values)))
    return result, np.exp(values - result)
