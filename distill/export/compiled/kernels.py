"""The operations of a student, compiled: float32, no allocation, one observation at a time.

A *plan* has a row for each operation that computes something; it is made for observations of one
shape. All weights lie in one array and all units in another, so that the call from Python is short.
Maps have a border of one cell of zeros, and the channels of a cell are contiguous: the 3x3 cells
that a unit is computed from are three runs of numbers.

The order of sums is free, so that they can be vectorised; results differ from torch's by rounding.
"""

from __future__ import annotations

import math

import numpy as np

from dynamaze.common.compiled import compiled, compiled_sums

from ..common.operations import ABOVE, BELOW, FARTHEST
from .value_iteration import (
    buffers_at,
    fill_rewards,
    iterate_values,
    load_maze,
    logits_at,
    spread_values,
    weights_at,
)

ONE = np.float32(1)

# Columns of a plan.
KIND = 0  # one of the kinds below
OPTION = 1  # what the kind says
WEIGHTS = 2  # offset of its weights, each followed by its biases
SCRATCH = 3  # offset of its work area in the units
INTO = 4  # offset of its output in the units
ROWS, COLS, CHANNELS = 5, 6, 7  # size of its output without the border; a vector is one cell
RUNS, RUN, WIDE = 8, 9, 10  # its input, if that is a vector: runs of numbers, WIDE apart

# Kinds. Those that take an observation have its strides of rows, columns and channels as RUNS, RUN
# and WIDE.
VECTOR = 0
IMAGE = 1  # OPTION: the number of convolutions that follow
PLANES = 2  # OPTION: as of an image
VALUE_ITERATION = 3  # OPTION: the number of iterations, 0 where values spread from the goals
CONVOLUTION = 4  # OPTION: the stride, negative without tanh
LINEAR = 5  # OPTION: 1 with tanh
GRU = 6


# -- observations as vectors -------------------------------------------------------------------


@compiled_sums
def best_of_vector(plan, weights, units, observation, times):
    """Return the best action for an observation as a vector, the first of equal ones.

    Args:
        plan: (operations, 11) columns as above.
        weights: (all,) float32.
        units: (all,) float32, written. The output of a GRU is its state, which is updated; the last
            units are the logits.
        observation: of any shape and type.
        times: float32 factor of its numbers, if it is an image.
    """
    actions = plan[-1, CHANNELS]
    logits = units[len(units) - actions :].reshape(1, actions)
    flat = observation.reshape(observation.size)
    return _first_best(append_vector(flat, times, plan, weights, units, logits, 0), logits)


@compiled_sums
def fill_from_vectors(plan, weights, units, state, observations, times, memory, rows):
    """Write the (batch, outputs) rows of (batch, numbers) observations.

    Args:
        plan: see `best_of_vector`.
        weights: see `best_of_vector`.
        units: see `best_of_vector`.
        state: (width,) part of the units that is the state of a GRU; empty without one.
        observations: of any type.
        times: see `best_of_vector`.
        memory: (batch, width) float32 states, updated.
        rows: (batch, outputs) float32, written.
    """
    for i in range(len(observations)):
        _copy(memory[i], state)
        append_vector(observations[i], times, plan, weights, units, rows, i)
        _copy(state, memory[i])


@compiled_sums
def append_vector(flat, times, plan, weights, units, rows, count):
    """Append the output row of one observation.

    Args:
        flat: (numbers,) of the observation, of any type.
        times: see `best_of_vector`.
        plan: see `best_of_vector`.
        weights: see `best_of_vector`.
        units: see `best_of_vector`.
        rows: (room, outputs) float32, written.
        count: number of rows written before.

    Returns:
        The number of rows written in all.
    """
    for i in range(len(flat)):
        units[i] = np.float32(flat[i])
    run_vectors(plan, 1, 0, times, weights, units, rows[count])
    return count + 1


@compiled_sums
def run_vectors(plan, number, begins, times, weights, units, outputs):
    """Run the operations on vectors, from a number on, and copy the last vector.

    Args:
        plan: see `best_of_vector`.
        number: index of the first.
        begins: offset of its input in the units.
        times: float32 factor of its input.
        weights: see `best_of_vector`.
        units: see `best_of_vector`.
        outputs: (outputs,) float32, written.
    """
    for k in range(number, len(plan)):
        row = plan[k]
        into = units[row[INTO] : row[INTO] + row[CHANNELS]]
        if row[KIND] == LINEAR:
            _linear(weights[row[WEIGHTS] :], units[begins:], row, times, into)
            if row[OPTION] == 1:
                for i in range(len(into)):
                    into[i] = math.tanh(into[i])
        else:
            _gru_step(weights[row[WEIGHTS] :], units, units[begins:], row, times, into)
        begins, times = row[INTO], ONE
    _copy(units[begins:], outputs)


@compiled_sums
def _linear(weights, seen, row, times, outputs):
    """Multiply a vector and (outputs, inputs) weights, with `times`, and add the biases."""
    runs, run, wide = row[RUNS], row[RUN], row[WIDE]
    biases = len(outputs) * runs * run
    for output in range(len(outputs)):
        total = np.float32(0)
        for r in range(runs):
            at = (output * runs + r) * run
            kernel = weights[at : at + run]
            numbers = seen[r * wide : r * wide + run]
            for i in range(run):
                total += kernel[i] * numbers[i]
        outputs[output] = total * times + weights[biases + output]


@compiled_sums
def _gru_step(weights, units, seen, row, times, memory):
    """Update the state of a gated recurrent unit (Cho et al. 2014; torch's form with two biases).

    The weights are (3 * width, inputs) and biases, and then (3 * width, width) and biases.
    """
    width = len(memory)
    gates = row[SCRATCH]
    new = units[gates : gates + 3 * width]
    known = units[gates + 3 * width : gates + 6 * width]
    _linear(weights, seen, row, times, new)
    backwards = weights[3 * width * (row[RUNS] * row[RUN] + 1) :]
    for gate in range(3 * width):
        total = np.float32(0)
        kernel = backwards[gate * width : (gate + 1) * width]
        for i in range(width):
            total += kernel[i] * memory[i]
        known[gate] = total + backwards[3 * width * width + gate]
    for i in range(width):
        # r = sigmoid(.), z = sigmoid(.), n = tanh(W x + r (U h)), h' = (1 - z) n + z h
        reset = 1 / (1 + math.exp(-(new[i] + known[i])))
        update = 1 / (1 + math.exp(-(new[width + i] + known[width + i])))
        after = math.tanh(new[2 * width + i] + reset * known[2 * width + i])
        memory[i] = (1 - update) * after + update * memory[i]


# -- observations as maps ----------------------------------------------------------------------


@compiled_sums
def best_of_map(plan, weights, units, observation, times):
    """Return the best action for an image or planes; -1 if no cell of the planes is marked.

    The arguments are those of `best_of_vector`.
    """
    actions = plan[-1, CHANNELS]
    logits = units[len(units) - actions :].reshape(1, actions)
    flat = observation.reshape(observation.size)
    return _first_best(append_map(flat, times, plan, weights, units, logits, 0), logits)


@compiled_sums
def fill_from_maps(plan, weights, units, state, observations, times, memory, rows):
    """Write the (queries, outputs) rows of (batch, numbers) images or planes, in their order.

    The arguments are those of `fill_from_vectors`.
    """
    count = 0
    for i in range(len(observations)):
        _copy(memory[i], state)
        count = append_map(observations[i], times, plan, weights, units, rows, count)
        _copy(state, memory[i])


@compiled_sums
def append_map(flat, times, plan, weights, units, rows, count):
    """Append the output row of one image, or those of all marked cells as far as there is room.

    The arguments and the result are those of `append_vector`.
    """
    first = plan[0]
    maps, height, width = first[OPTION], first[ROWS], first[COLS]
    last = plan[maps]
    if first[KIND] == IMAGE:
        box = (0, height, 0, width)
        _load_map(flat, times, first, units, box)
        convolve(plan, weights, units, box)
        begins = _cell_offset(last, 0, 0)
        run_vectors(plan, 1 + maps, begins, ONE, weights, units, rows[count])
        return count + 1
    # Only the receptive field of the marked cells is computed.
    marked = flat[height * width : 2 * height * width]
    room, found = len(rows) - count, 0
    top, bottom, left, right = height, 0, width, 0
    for at in range(len(marked)):
        if marked[at] > 0.5 and found < room:
            found += 1
            row, col = at // width, at % width
            top, bottom = min(top, row), max(bottom, row + 1)
            left, right = min(left, col), max(right, col + 1)
    if found == 0:
        return count
    box = (top, bottom, left, right)
    _load_map(flat, ONE, first, units, _grown(box, maps, height, width))
    convolve(plan, weights, units, box)
    for at in range(len(marked)):
        if marked[at] > 0.5 and count < len(rows):
            begins = _cell_offset(last, at // width, at % width)
            run_vectors(plan, 1 + maps, begins, ONE, weights, units, rows[count])
            count += 1
    return count


@compiled_sums
def convolve(plan, weights, units, box):
    """Compute all convolutions; the last at least in a box (top, bottom, left, right) of cells."""
    layers = plan[0, OPTION]
    for layer in range(1, layers + 1):
        row, before = plan[layer], plan[layer - 1]
        inputs, outputs = before[CHANNELS], row[CHANNELS]
        wide = (before[COLS] + 2) * inputs
        patch = units[row[SCRATCH] : row[SCRATCH] + 9 * inputs]
        biases = row[WEIGHTS] + outputs * len(patch)
        kernels = weights[row[WEIGHTS] : biases].reshape(outputs, len(patch))
        bias = weights[biases : biases + outputs]
        stride = abs(row[OPTION])
        top, bottom, left, right = _grown(box, layers - layer, row[ROWS], row[COLS])
        for r in range(top, bottom):
            for c in range(left, right):
                seen = units[before[INTO] + stride * (r * wide + c * inputs) :]
                into = _cell_offset(row, r, c)
                cell = units[into : into + outputs]
                _cell(seen, wide, kernels, bias, patch, cell)
                if row[OPTION] > 0:
                    for i in range(outputs):
                        cell[i] = _tanh(cell[i])


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
def _load_map(flat, times, first, units, box):
    """Write the cells of a box of an observation."""
    for row in range(box[0], box[1]):
        for col in range(box[2], box[3]):
            into = _cell_offset(first, row, col)
            for i in range(first[CHANNELS]):
                at = row * first[RUNS] + col * first[RUN] + i * first[WIDE]
                units[into + i] = times * np.float32(flat[at])


@compiled
def _grown(box, reach, rows, cols):
    """Return a box of cells with all cells up to `reach` away in each direction."""
    return (
        max(box[0] - reach, 0),
        min(box[1] + reach, rows),
        max(box[2] - reach, 0),
        min(box[3] + reach, cols),
    )


@compiled
def _cell_offset(row, r, c):
    """Return the offset in the units of a cell of a map, whose row of the plan is `row`."""
    return row[INTO] + ((r + 1) * (row[COLS] + 2) + c + 1) * row[CHANNELS]


# -- value iteration ---------------------------------------------------------------------------


@compiled_sums
def best_of_maze(plan, weights, units, observation, times):
    """Return the best action of value iteration in planes; -1 if no cell is marked.

    The arguments are those of `best_of_vector`.
    """
    actions = plan[-1, CHANNELS]
    logits = units[len(units) - actions :].reshape(1, actions)
    flat = observation.reshape(observation.size)
    return _first_best(append_maze(flat, plan, weights, units, logits, 0), logits)


@compiled_sums
def fill_from_mazes(plan, weights, units, state, observations, times, memory, rows):
    """Write the (queries, outputs) rows of (batch, numbers) planes, in their order.

    The arguments are those of `fill_from_vectors`.
    """
    count = 0
    for i in range(len(observations)):
        count = append_maze(observations[i], plan, weights, units, rows, count)


@compiled_sums
def append_maze(flat, plan, weights, units, rows, count):
    """Append the output rows of all marked cells of one maze, as far as there is room.

    The arguments and the result are those of `append_vector`.
    """
    first = plan[0]
    height, width, actions = first[ROWS], first[COLS], first[CHANNELS]
    given = weights_at(weights, first[WEIGHTS], actions)
    work = buffers_at(units, first[SCRATCH], actions, height, width)
    logits = units[first[INTO] : first[INTO] + actions]
    load_maze(flat, height, width, work)
    fill_rewards(height, width, given, work)
    if first[OPTION]:
        iterate_values(height, width, first[OPTION], given, work)
    else:
        spread_values(height, width, given, work)
    for at in range(height * width):
        if flat[height * width + at] > 0.5 and count < len(rows):
            cell = (at // width + 1) * (width + 2) + at % width + 1
            logits_at(cell, width + 2, given, work, logits)
            run_vectors(plan, 1, first[INTO], ONE, weights, units, rows[count])
            count += 1
    return count


# -- parts -------------------------------------------------------------------------------------


@compiled
def _first_best(count, logits):
    """Return the index of the maximum, the first of equal ones; -1 if there are no rows."""
    if count == 0:
        return -1
    best = 0
    for action in range(1, logits.shape[1]):
        if logits[0, action] > logits[0, best]:
            best = action
    return best


@compiled
def _copy(numbers, into):
    """Copy as many numbers as fit."""
    for i in range(len(into)):
        into[i] = numbers[i]
