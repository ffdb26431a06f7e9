"""The memory of rows, and sequences put together."""

from __future__ import annotations

import numpy as np
import pytest

from dynamaze.distill.data.replay import Fragments, Replay


def rows(*numbers: int) -> dict[str, np.ndarray]:
    return {"x": np.array(numbers), "y": np.array(numbers, dtype=np.float32)[:, None] / 2}


def held(replay: Replay) -> set[int]:
    drawn = replay.draw(300, np.random.default_rng(0))
    np.testing.assert_array_equal(drawn["y"][:, 0] * 2, drawn["x"])
    return set(drawn["x"].tolist())


def test_new_rows_replace_the_oldest() -> None:
    replay = Replay(5)
    replay.add(rows(1, 2, 3))
    assert (len(replay), held(replay)) == (3, {1, 2, 3})
    replay.add(rows(4, 5, 6, 7))
    assert (len(replay), held(replay)) == (5, {3, 4, 5, 6, 7})
    replay.add(rows(*range(10, 23)))
    assert held(replay) == {18, 19, 20, 21, 22}
    replay.add(rows(30))
    assert held(replay) == {19, 20, 21, 22, 30}


@pytest.mark.parametrize("count", [0, 3, 5, 12])
def test_its_state_goes_on_alike(count: int) -> None:
    replay, other = Replay(5), Replay(5)
    for number in range(count):
        replay.add(rows(number))
    other.add(rows(99))
    other.set_state(replay.get_state())
    for each in (replay, other):
        each.add(rows(50, 51))
    a, b = (each.draw(40, np.random.default_rng(1)) for each in (replay, other))
    np.testing.assert_array_equal(a["x"], b["x"])


def test_sequences_end_with_the_episode_or_when_they_are_full() -> None:
    fragments = Fragments(2, 3)
    found = []
    # The second world decides nothing at time 1; the first one's episode ends at time 4.
    for time in range(6):
        deciding = np.array([True, time != 1])
        ended = np.array([time == 4, False])
        numbers = np.array([time, 100 + time])[deciding]
        taken = fragments.add(deciding, ended, {"x": numbers})
        if taken:
            found += list(zip(taken["x"].tolist(), taken["weights"].tolist(), strict=True))
    assert found == [
        ([0, 1, 2], [1, 1, 1]),
        ([100, 102, 103], [1, 1, 1]),
        ([3, 4, 0], [1, 1, 0]),
    ]
    rest = fragments.take_all()
    assert rest["x"].tolist() == [[5, 0, 0], [104, 105, 0]]
    assert rest["weights"].tolist() == [[1, 0, 0], [1, 1, 0]]
    assert fragments.take_all() == {}
