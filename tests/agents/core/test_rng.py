"""Random numbers in compiled rules."""

from __future__ import annotations

import numpy as np
import pytest

from dynamaze.agents import LatestOutcome
from dynamaze.agents.core.rng import (
    high_below,
    high_unit,
    load,
    low_below,
    make_generator,
    next_word,
    sample_columns,
    state_words,
    store,
)
from dynamaze.agents.core.transitions import one_transition
from dynamaze.common.compiled import compiled_with_arrays


@compiled_with_arrays
def draw_words(words, n):
    drawn = np.empty(n, dtype=np.uint64)
    rng = load(words)
    for i in range(n):
        drawn[i], rng = next_word(rng)
    store(words, rng)
    return drawn


@compiled_with_arrays
def split(words, bound):
    high = np.empty(words.size, dtype=np.int64)
    low = np.empty(words.size, dtype=np.int64)
    unit = np.empty(words.size)
    for i in range(words.size):
        high[i], low[i] = high_below(words[i], bound), low_below(words[i], bound)
        unit[i] = high_unit(words[i])
    return high, low, unit


def test_next_word_equals_numpy() -> None:
    ours, numpys = (np.random.Generator(np.random.SFC64(7)) for _ in range(2))
    np.testing.assert_array_equal(
        draw_words(state_words(ours), 1000), numpys.bit_generator.random_raw(1000)
    )
    assert ours.random() == numpys.random()


@pytest.mark.parametrize("bound", [1, 2, 7, 54])
def test_word_halves_uniform_and_independent(bound: int) -> None:
    words = np.random.SFC64(11).random_raw(bound * bound * 2000)
    high, low, unit = split(words, bound)
    counts = np.bincount(high * bound + low, minlength=bound * bound)
    assert counts.size == bound * bound
    # Chi-square against uniform: its mean is the degrees of freedom and its variance twice that;
    # 5 standard deviations fail by chance less than once in a million fixed seeds.
    degrees = max(bound * bound - 1, 1)
    statistic = ((counts - 2000) ** 2 / 2000).sum()
    assert abs(statistic - (bound * bound - 1)) <= 5 * np.sqrt(2 * degrees)
    assert unit.min() >= 0
    assert unit.max() < 1


def test_make_generator_repeats_stream() -> None:
    seed = np.random.SeedSequence(3)
    first, again, other = (make_generator(seed, stream).random(5) for stream in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert seed.n_children_spawned == 0


@pytest.mark.parametrize("bit_generator", [np.random.PCG64, np.random.MT19937, np.random.SFC64])
def test_model_draws_from_given_generator(bit_generator: type) -> None:
    model = LatestOutcome(3, 2)
    for state in range(3):
        model.update(one_transition(state, state % 2, 0.5, 2, False))
    one, other = (np.random.Generator(bit_generator(5)) for _ in range(2))
    for _ in range(3):
        left, right = model.sample(20, one), model.sample(20, other)
        np.testing.assert_array_equal(left.observation, right.observation)
    assert one.random() == other.random()
    assert not np.array_equal(model.sample(20, one).observation, left.observation)


def test_sample_columns_follows_weights() -> None:
    rng, n = np.random.default_rng(0), 20_000
    weights = np.tile([0.0, 3.0, 0.0, 1.0, 0.0], (n, 1))
    counts = np.bincount(sample_columns(weights, rng), minlength=5)
    assert counts[[0, 2, 4]].sum() == 0
    assert abs(counts[1] - 0.75 * n) < 5 * np.sqrt(n * 0.75 * 0.25)
    np.testing.assert_array_equal(sample_columns(np.eye(3), rng), [0, 1, 2])
