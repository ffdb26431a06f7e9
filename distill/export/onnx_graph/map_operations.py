"""ONNX graph of a student that plans on its own map, and the constants that it names."""

from __future__ import annotations

from typing import Any

import numpy as np

from dynamaze.common.map_memory import BUMPED, NUM_EVENTS, move_targets

from ...core.map_state import known_grid
from ...core.observations import AGE_FEATURES
from ..common import operations as ops

MAP_VALUE_ITERATION = """
    cell, action, reward = Split <axis = 1, num_outputs = 3> ({value})
    event, time, clock, latest = Split <axis = 1> (memory, memory_parts)
    before = Sub (latest, one)
    has_before = Greater (before, minus_half)
    not_below = Greater (action, minus_half)
    not_above = Less (action, above_actions)
    is_action = And (not_below, not_above)
    moves = And (has_before, is_action)
    stays = Equal (cell, before)
    leaves = Not (stays)
    bumps = And (moves, stays)
    enters = And (moves, leaves)
    at_cell = Equal (cell, numbers)
    at_before = Equal (before, numbers)
    some_cell = Max (before, zero)
    some_action = Clip (action, zero, last_action)
    first_target = Mul (some_cell, num_actions)
    place = Add (first_target, some_action)
    place_number = Cast <to = 7> (place)
    target = Gather <axis = 0> (targets, place_number)
    at_target = Equal (target, numbers)
    bumped_at = And (bumps, at_target)

    is_goal = Equal (event, two)
    no_goal = Not (is_goal)
    left_at = And (moves, at_before)
    left_free = And (left_at, no_goal)
    event_left = Where (left_free, one, event)
    event_bumped = Where (bumped_at, three, event_left)
    pays = Greater (reward, zero)
    finds_goal = And (enters, pays)
    enters_not = Not (enters)
    remains_goal = And (enters_not, is_goal)
    now_goal = Or (finds_goal, remains_goal)
    event_here = Where (now_goal, two, one)
    event_after = Where (at_cell, event_here, event_bumped)

    passed = Cast <to = 1> (moves)
    clock_after = Add (clock, passed)
    touched = Or (at_cell, bumped_at)
    time_left = Where (left_at, clock, time)
    time_after = Where (touched, clock_after, time_left)
    latest_after = Add (cell, one)
    memory_after = Concat <axis = 1> (event_after, time_after, clock_after, latest_after)

    age = Sub (clock_after, time_after)
    older = Add (age, one)
    log_age = Log (older)
    short_age = Div (log_age, six)
    long_age = Div (age, two_hundred)
    no_age = Mul (age, zero)
    constant = Add (no_age, one)
    constants = Unsqueeze (constant, last_axis)
    short_ages = Unsqueeze (short_age, last_axis)
    long_ages = Unsqueeze (long_age, last_axis)
    factors = Concat <axis = 2> (constants, short_ages, long_ages)
    event_number = Cast <to = 7> (event_after)
    weights = Gather <axis = 0> (reading, event_number)
    ending_weights, stepping_weights = Split <axis = 2, num_outputs = 2> (weights)
    ending_terms = Mul (ending_weights, factors)
    stepping_terms = Mul (stepping_weights, factors)
    ending_sum = ReduceSum <keepdims = 0> (ending_terms, last_axis)
    stepping_sum = ReduceSum <keepdims = 0> (stepping_terms, last_axis)
    ending = Reshape (ending_sum, map_shape)
    stepping = Reshape (stepping_sum, map_shape)

    wide_stepping = Pad <mode = "constant"> (stepping, border, edge)
    read = Conv (wide_stepping, costs, biases)
    cost = Softplus (read)
    rewards = Neg (cost)
    values = Loop <body = backup
        (int64 k, bool go, float[batch, 1, {rows}, {cols}] v)
        => (bool changed, float[batch, 1, {rows}, {cols}] new) {{
            wide = Pad <mode = "edge"> (v, border)
            expected = Conv (wide, kernels)
            q = Add (rewards, expected)
            best = ReduceMax <keepdims = 1> (q, map_axis)
            new = Max (best, ending)
            moved = Sub (new, v)
            far = Abs (moved)
            farthest = ReduceMax <keepdims = 0> (far)
            changed = Greater (farthest, zero)
        }}> (iterations, yes, ending)
    wide_values = Pad <mode = "edge"> (values, border)
    then = Conv (wide_values, kernels)
    last = Add (rewards, then)
    by_cell = Reshape (last, row_shape)
    chosen = Unsqueeze (at_cell, map_axis)
    only_cell = Where (chosen, by_cell, zero)
    q_of_cell = ReduceSum <keepdims = 0> (only_cell, last_axis)
    {output} = Mul (q_of_cell, sharpness)
"""
"""The memory is recorded as by `map_state.observe`, read, and planned on."""


def map_constants(network: ops.MapValueIteration) -> dict[str, Any]:
    """Return the constants of `MAP_VALUE_ITERATION`, for the maze of the student's grid."""
    rows, cols = known_grid(network.grid)
    cells, actions = rows * cols, len(network.moves)
    by_event = network.reading.reshape(2, NUM_EVENTS, AGE_FEATURES).transpose(1, 0, 2)
    floats: dict[str, Any] = {
        "zero": 0.0,
        "one": 1.0,
        "two": 2.0,
        "three": 3.0,
        "six": 6.0,
        "two_hundred": 200.0,
        "minus_half": -0.5,
        "above_actions": actions - 0.5,
        "last_action": actions - 1.0,
        "num_actions": float(actions),
        "numbers": np.arange(cells)[None],
        "targets": move_targets((rows, cols)).ravel(),
        "reading": by_event.reshape(NUM_EVENTS, 2 * AGE_FEATURES),
        "edge": network.reading[1, BUMPED * AGE_FEATURES],
        "costs": network.costs.reshape(actions, 1, 3, 3),
        "biases": np.full(actions, network.bias),
        "kernels": network.moves.reshape(actions, 1, 3, 3),
        "sharpness": network.sharpness,
    }
    whole = {
        "memory_parts": [cells, cells, 1, 1],
        "border": [0, 0, 1, 1, 0, 0, 1, 1],
        "map_axis": [1],
        "last_axis": [2],
        "map_shape": [-1, 1, rows, cols],
        "row_shape": [-1, actions, cells],
        "iterations": network.iterations_for - 1,
    }
    return {
        **{name: np.asarray(each, dtype=np.float32) for name, each in floats.items()},
        **{name: np.asarray(each, dtype=np.int64) for name, each in whole.items()},
        "yes": np.array(True),
    }
