"""Forward pass of a convolution, compiled: float32, no allocation, one observation at a time.

Maps have a border of one cell of zeros, and the channels of a cell are contiguous. So the 3x3 cells
that a unit is computed from are three runs of numbers.
"""

from __future__ import annotations

import numpy as np

from dynamaze.common.compiled import compiled, compiled_sums

from .kernels import first_best

FARTHEST = np.float32(7.9)
"""Beyond it tanh is 1 in float32, to within 3e-7."""

ABOVE = np.array(
    [2.41062899e-11, -1.49066928e-08, 9.93934555e-06, 0.00299211522, 0.12984927, 1.0],
    dtype=np.float32,
)
BELOW = np.array([0.000238089298, 0.0240531694, 0.463182449, 1.0], dtype=np.float32)
"""Coefficients of a rational approximation of tanh, highest power first.

Fitted by least squares of the relative error up to `FARTHEST`, reweighted until the error was
uniform: 2e-8, a tenth of the rounding error of float32.
"""


@compiled_sums
def conv_act(observation, times, weights, work, logits):
    """Return the best action, the first of equal ones; -1 if no cell of the planes is marked."""
    flat = observation.reshape(observation.size)
    if _logits_of(flat, times, weights, work, logits, 0) == 0:
        return -1
    return first_best(logits[0])


@compiled_sums
def conv_batch(observations, times, weights, work, logits):
    """Write (queries, actions) logits of (batch, inputs) observations, in their order."""
    count = 0
    for i in range(len(observations)):
        count = _logits_of(observations[i], times, weights, work, logits, count)


@compiled_sums
def _logits_of(flat, times, weights, work, logits, count):
    """Append the logits of one observation, as far as there is room.

    Args:
        flat: (inputs,) numbers of any type.
        times: float32 factor of the inputs.
        weights: a `ConvWeights`.
        work: a `ConvBuffers` for observations of this size; its units are written.
        logits: (room, actions) float32, written.
        count: number of rows written before.

    Returns:
        The number of rows written in all.
    """
    rows, cols = work.sizes[0, 0], work.sizes[0, 1]
    if weights.stride == 2:
        _convolve(flat, times, weights, work, (0, rows, 0, cols))
        _read(weights, work, 0, 0, logits[count])
        return count + 1
    # Only the receptive field of the queried cells is computed.
    queried = flat[rows * cols : 2 * rows * cols]
    room, found = len(logits) - count, 0
    top, bottom, left, right = rows, 0, cols, 0
    for at in range(len(queried)):
        if queried[at] > 0.5 and found < room:
            found += 1
            row, col = at // cols, at % cols
            top, bottom = min(top, row), max(bottom, row + 1)
            left, right = min(left, col), max(right, col + 1)
    if found == 0:
        return count
    _convolve(flat, times, weights, work, (top, bottom, left, right))
    for at in range(len(queried)):
        if queried[at] > 0.5 and count < len(logits):
            _read(weights, work, at // cols, at % cols, logits[count])
            count += 1
    return count


@compiled_sums
def _convolve(flat, times, weights, work, box):
    """Compute all convolutions; the last at least in a box (top, bottom, left, right) of cells."""
    layers = len(work.sizes) - 1
    rows, cols, inputs = work.sizes[0]
    wide = (cols + 2) * inputs
    for row in range(max(box[0] - layers, 0), min(box[1] + layers, rows)):
        for col in range(max(box[2] - layers, 0), min(box[3] + layers, cols)):
            for i in range(inputs):
                at = row * work.steps[0] + col * work.steps[1] + i * work.steps[2]
                into = (row + 1) * wide + (col + 1) * inputs + i
                work.units[into] = times * np.float32(flat[at])
    seen = work.units[: (rows + 2) * wide]
    begins, packed = len(seen), 0
    for layer in range(1, layers + 1):
        rows, cols, outputs = work.sizes[layer]
        patch = work.patch[: 9 * inputs]
        biases = packed + outputs * len(patch)
        kernels = weights.convolved[packed:biases].reshape(outputs, len(patch))
        bias = weights.convolved[biases : biases + outputs]
        ends = begins + (rows + 2) * (cols + 2) * outputs
        units = work.units[begins:ends].reshape(rows + 2, cols + 2, outputs)
        reach = layers - layer
        for row in range(max(box[0] - reach, 0), min(box[1] + reach, rows)):
            for col in range(max(box[2] - reach, 0), min(box[3] + reach, cols)):
                first = weights.stride * (row * wide + col * inputs)
                _cell(seen[first:], wide, kernels, bias, patch, units[row + 1, col + 1])
        seen, wide, inputs = work.units[begins:ends], (cols + 2) * outputs, outputs
        begins, packed = ends, biases + outputs


@compiled_sums
def _cell(seen, wide, kernels, bias, patch, units):
    """Compute the (outputs,) units of a cell from 3x3 cells with rows `wide` numbers apart."""
    # The channels of a cell are contiguous, so each of the three rows of cells is one run.
    run = len(patch) // 3
    for k in range(3):
        for i in range(run):
            patch[k * run + i] = seen[k * wide + i]
    for output in range(len(units)):
        total = np.float32(0)
        kernel = kernels[output]
        for i in range(len(patch)):
            total += kernel[i] * patch[i]
        units[output] = total + bias[output]
    for output in range(len(units)):
        units[output] = _tanh(units[output])


@compiled
def _tanh(x):
    """Approximate tanh to within 4e-7; as a rational function it can be vectorised."""
    x = min(max(x, -FARTHEST), FARTHEST)
    square = x * x
    above, below = ABOVE[0], BELOW[0]
    for i in range(1, len(ABOVE)):
        above = above * square + ABOVE[i]
    for i in range(1, len(BELOW)):
        below = below * square + BELOW[i]
    return x * above / below


@compiled_sums
def _read(weights, work, row, col, logits):
    """Compute the logits from the units of the last convolution, from the cell (row, col) on."""
    rows, cols, channels = work.sizes[-1]
    size = (rows + 2) * (cols + 2) * channels
    units = work.units[len(work.units) - size :].reshape(rows + 2, cols + 2, channels)
    for action in range(len(logits)):
        total = np.float32(0)
        for r in range(weights.last.shape[1]):
            for c in range(weights.last.shape[2]):
                cell = units[row + r + 1, col + c + 1]
                for i in range(channels):
                    total += weights.last[action, r, c, i] * cell[i]
        logits[action] = total + weights.bias[action]
