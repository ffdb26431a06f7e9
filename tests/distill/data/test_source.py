"""The replay buffer and the sequence buffer."""

from __future__ import annotations

import numpy as np
import pytest

from dynamaze.distill.data.source import ReplayBuffer, SequenceBuffer


def rows(*numbers: int) -> dict[str, np.ndarray]:
    return {"x": np.array(numbers), "y": np.array(numbers, dtype=np.float32)[:, None] / 2}


def stored_rows(replay: ReplayBuffer) -> set[int]:
    drawn = replay.sample(300, np.random.default_rng(0))
    np.testing.assert_array_equal(drawn["y"][:, 0] * 2, drawn["x"])
    return set(drawn["x"].tolist())


def test_replay_replaces_oldest_rows() -> None:
    replay = ReplayBuffer(5)
    replay.add(rows(1, 2, 3))
    assert (len(replay), stored_rows(replay)) == (3, {1, 2, 3})
    replay.add(rows(4, 5, 6, 7))
    assert (len(replay), stored_rows(replay)) == (5, {3, 4, 5, 6, 7})
    replay.add(rows(*range(10, 23)))
    assert stored_rows(replay) == {18, 19, 20, 21, 22}
    replay.add(rows(30))
    assert stored_rows(replay) == {19, 20, 21, 22, 30}


@pytest.mark.parametrize("count", [0, 3, 5, 12])
def test_replay_state_round_trip(count: int) -> None:
    replay, other = ReplayBuffer(5), ReplayBuffer(5)
    for number in range(count):
        replay.add(rows(number))
    other.add(rows(99))
    other.set_state(replay.get_state())
    for each in (replay, other):
        each.add(rows(50, 51))
    a, b = (each.sample(40, np.random.default_rng(1)) for each in (replay, other))
    np.testing.assert_array_equal(a["x"], b["x"])


def test_sequences_end_with_episode_or_length() -> None:
    sequences = SequenceBuffer(2, 3)
    found = []
    # The second environment takes no action at time 1; the first one's episode ends at time 4.
    for time in range(6):
        needs_action = np.array([True, time != 1])
        ended = np.array([time == 4, False])
        numbers = np.array([time, 100 + time])[needs_action]
        taken = sequences.add(needs_action, ended, {"x": numbers})
        if taken:
            found += list(zip(taken["x"].tolist(), taken["weights"].tolist(), strict=True))
    assert found == [
        ([0, 1, 2], [1, 1, 1]),
        ([100, 102, 103], [1, 1, 1]),
        ([3, 4, 0], [1, 1, 0]),
    ]
    rest = sequences.take_all()
    assert rest["x"].tolist() == [[5, 0, 0], [104, 105, 0]]
    assert rest["weights"].tolist() == [[1, 0, 0], [1, 1, 0]]
    assert sequences.take_all() == {}
