"""Students' forward passes, compiled: float32, no arrays made, one observation after the other.

Sums may be taken in another order than a plain loop's, so that several terms are added at once;
results differ from torch's in the last bits only.
"""

from __future__ import annotations

import math

import numpy as np

from dynamaze.common.compiled import compiled, compiled_sums

from .value_iteration_kernel import plan_one


@compiled_sums
def layers_one(flat, times, packed, sizes, hidden, logits):
    """Logits of one observation, by linear layers with tanh between them.

    Args:
        flat: (inputs,) numbers of any kind.
        times: float32, what they are multiplied by.
        packed: (parameters,) float32; of each layer the (outputs, inputs) weights, then the
            (outputs,) biases.
        sizes: (layers + 1,) inputs, hidden units of each layer, actions.
        hidden: (hidden units of all layers,) float32, to work in.
        logits: (actions,) float32, written.
    """
    at = 0  # in packed
    before = 0  # in hidden, where the units of the layer before begin
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
def layers_act(observation, times, packed, sizes, hidden, logits):
    """The best action for one observation of any shape, the first of equal ones."""
    layers_one(observation.reshape(observation.size), times, packed, sizes, hidden, logits)
    return first_best(logits)


@compiled_sums
def layers_many(observations, times, packed, sizes, hidden, logits):
    """(batch, actions) logits of (batch, inputs) observations."""
    for i in range(len(observations)):
        layers_one(observations[i], times, packed, sizes, hidden, logits[i])


@compiled_sums
def gru_one(flat, times, memory, weights, gates, logits):
    """One moment of a gated recurrent unit (Cho et al. 2014; torch's form, which has two biases).

    Args:
        flat: (inputs,) numbers of any kind.
        times: float32, what they are multiplied by.
        memory: (width,) float32, moved on.
        weights: a `GRUWeights`.
        gates: (2, 3 * width) float32, to work in.
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
        forget = 1 / (1 + math.exp(-(gates[0, i] + gates[1, i])))
        keep = 1 / (1 + math.exp(-(gates[0, width + i] + gates[1, width + i])))
        new = math.tanh(gates[0, 2 * width + i] + forget * gates[1, 2 * width + i])
        memory[i] = (1 - keep) * new + keep * memory[i]
    for action in range(len(logits)):
        total = np.float32(0)
        for i in range(width):
            total += weights.outwards[action, i] * memory[i]
        logits[action] = total + weights.outwards_bias[action]


@compiled_sums
def gru_act(observation, times, memory, weights, gates, logits):
    """The best action at the next moment, for one observation of any shape."""
    gru_one(observation.reshape(observation.size), times, memory, weights, gates, logits)
    return first_best(logits)


@compiled_sums
def gru_many(observations, times, memory, weights, gates, logits):
    """(batch, actions) logits of (batch, inputs) observations, and (batch, width) memory."""
    for i in range(len(observations)):
        gru_one(observations[i], times, memory[i], weights, gates, logits[i])


@compiled
def planner_many(observations, iterations, weights, work, logits):
    """(answers, 4) logits at the cells that (batch, 3, rows, cols) observations mark.

    Args:
        observations: planes of walls, agent and goals.
        iterations: how many; the last is the one that answers.
        weights: see `plan_one`.
        work: see `plan_one`.
        logits: written, in the order of batch, row and column.
    """
    answers = 0
    for i in range(len(observations)):
        plan_one(observations[i], iterations, weights, work)
        answers = _answers(observations[i, 1], weights, work, logits, answers)


@compiled
def planner_act(observation, iterations, weights, work, logits):
    """The best action at the first cell marked, the first of equal ones; -1 if none is."""
    plan_one(observation, iterations, weights, work)
    if _answers(observation[1], weights, work, logits, 0) == 0:
        return -1
    return first_best(logits[0])


@compiled
def _answers(asked, weights, work, logits, answers):
    """Write the answers of one maze behind those there are, as far as there is room; how many."""
    wide = asked.shape[1] + 2
    for row in range(asked.shape[0]):
        for col in range(asked.shape[1]):
            if asked[row, col] <= 0.5 or answers == len(logits):
                continue
            at = (row + 1) * wide + col + 1
            for action in range(logits.shape[1]):
                q = work.rewards[action, at]
                for k in range(9):
                    there = at + (k // 3 - 1) * wide + k % 3 - 1
                    q += weights.moves[action, k] * work.values[there]
                logits[answers, action] = weights.sharpness * q
            answers += 1
    return answers


@compiled
def first_best(logits):
    """The number of the greatest, the first of equal ones."""
    best = 0
    for action in range(1, len(logits)):
        if logits[action] > logits[best]:
            best = action
    return best
