"""Forward passes of students, compiled: float32, no allocation, one observation at a time.

The order of sums is free, so that they can be vectorised; results differ from torch's by rounding.
"""

from __future__ import annotations

import math

import numpy as np

from dynamaze.common.compiled import compiled, compiled_sums

from .value_iteration_kernel import iterate_values


@compiled_sums
def mlp_forward(flat, times, packed, sizes, hidden, logits):
    """Compute the logits of one observation, by linear layers with tanh between them.

    Args:
        flat: (inputs,) numbers of any type.
        times: float32 factor of the inputs.
        packed: (parameters,) float32; for each layer the (outputs, inputs) weights, then the
            (outputs,) biases.
        sizes: (layers + 1,) inputs, hidden units of each layer, actions.
        hidden: (hidden units of all layers,) float32 work array.
        logits: (actions,) float32, written.
    """
    at = 0  # offset in packed
    before = 0  # offset in hidden of the previous layer's units
    for layer in range(len(sizes) - 1):
        inputs = sizes[layer]
        outputs = sizes[layer + 1]
        biases = at + outputs * inputs
        into = logits if layer == len(sizes) - 2 else hidden[before + (inputs if layer else 0) :]
        for output in range(outputs):
            total = np.float32(0)
            row = packed[at + output * inputs : at + (output + 1) * inputs]
            if layer == 0:
                for i in range(inputs):
                    total += row[i] * np.float32(flat[i])
                total *= times
            else:
                units = hidden[before : before + inputs]
                for i in range(inputs):
                    total += row[i] * units[i]
            total += packed[biases + output]
            into[output] = total if layer == len(sizes) - 2 else math.tanh(total)
        if layer:
            before += inputs
        at = biases + outputs


@compiled_sums
def mlp_act(observation, times, packed, sizes, hidden, logits):
    """Return the best action for one observation of any shape, the first of equal ones."""
    mlp_forward(observation.reshape(observation.size), times, packed, sizes, hidden, logits)
    return first_best(logits)


@compiled_sums
def mlp_batch(observations, times, packed, sizes, hidden, logits):
    """Write (batch, actions) logits of (batch, inputs) observations."""
    for i in range(len(observations)):
        mlp_forward(observations[i], times, packed, sizes, hidden, logits[i])


@compiled_sums
def gru_forward(flat, times, memory, weights, gates, logits):
    """Compute one step of a gated recurrent unit (Cho et al. 2014; torch's form with two biases).

    Args:
        flat: (inputs,) numbers of any type.
        times: float32 factor of the inputs.
        memory: (width,) float32 state, updated.
        weights: a `GRUWeights`.
        gates: (2, 3 * width) float32 work array.
        logits: (actions,) float32, written.
    """
    width = len(memory)
    for gate in range(3 * width):
        total = np.float32(0)
        for i in range(len(flat)):
            total += weights.inwards[gate, i] * np.float32(flat[i])
        gates[0, gate] = total * times + weights.inwards_bias[gate]
        total = np.float32(0)
        for i in range(width):
            total += weights.backwards[gate, i] * memory[i]
        gates[1, gate] = total + weights.backwards_bias[gate]
    for i in range(width):
        # r = sigmoid(.), z = sigmoid(.), n = tanh(W x + r (U h)), h' = (1 - z) n + z h
        reset = 1 / (1 + math.exp(-(gates[0, i] + gates[1, i])))
        update = 1 / (1 + math.exp(-(gates[0, width + i] + gates[1, width + i])))
        new = math.tanh(gates[0, 2 * width + i] + reset * gates[1, 2 * width + i])
        memory[i] = (1 - update) * new + update * memory[i]
    for action in range(len(logits)):
        total = np.float32(0)
        for i in range(width):
            total += weights.outwards[action, i] * memory[i]
        logits[action] = total + weights.outwards_bias[action]


@compiled_sums
def gru_act(observation, times, memory, weights, gates, logits):
    """Return the best action at the next step, for one observation of any shape."""
    gru_forward(observation.reshape(observation.size), times, memory, weights, gates, logits)
    return first_best(logits)


@compiled_sums
def gru_batch(observations, times, memory, weights, gates, logits):
    """Write (batch, actions) logits of (batch, inputs) observations; update the states."""
    for i in range(len(observations)):
        gru_forward(observations[i], times, memory[i], weights, gates, logits[i])


@compiled
def value_iteration_batch(observations, iterations, weights, work, logits):
    """Write (queries, 4) logits at the cells marked in (batch, 3, rows, cols) observations.

    Args:
        observations: planes of walls, agent and goals.
        iterations: number of backups; the logits are those of the last.
        weights: see `iterate_values`.
        work: see `iterate_values`.
        logits: written, in the order of batch, row and column.
    """
    count = 0
    for i in range(len(observations)):
        iterate_values(observations[i], iterations, weights, work)
        count = _logits_of(observations[i, 1], weights, work, logits, count)


@compiled
def value_iteration_act(observation, iterations, weights, work, logits):
    """Return the best action at the first marked cell, the first of equal ones; -1 if none."""
    iterate_values(observation, iterations, weights, work)
    if _logits_of(observation[1], weights, work, logits, 0) == 0:
        return -1
    return first_best(logits[0])


@compiled
def _logits_of(queried, weights, work, logits, count):
    """Append the logits of one maze, as far as there is room; return the number of rows in all."""
    wide = queried.shape[1] + 2
    for row in range(queried.shape[0]):
        for col in range(queried.shape[1]):
            if queried[row, col] <= 0.5 or count == len(logits):
                continue
            at = (row + 1) * wide + col + 1
            for action in range(logits.shape[1]):
                q = work.rewards[action, at]
                for k in range(9):
                    there = at + (k // 3 - 1) * wide + k % 3 - 1
                    q += weights.moves[action, k] * work.values[there]
                logits[count, action] = weights.sharpness * q
            count += 1
    return count


@compiled
def first_best(logits):
    """Return the index of the maximum, the first of equal ones."""
    best = 0
    for action in range(1, len(logits)):
        if logits[action] > logits[best]:
            best = action
    return best
