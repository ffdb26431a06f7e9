"""Table rows of Gymnasium's discrete spaces."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from dynamaze.agents import Spaces
from dynamaze.agents.core.spaces import TableRows, count_actions, describe_spaces, read_spaces

SPACES: dict[str, tuple[spaces.Space[Any], list[Any]]] = {
    "discrete": (spaces.Discrete(5), list(range(5))),
    "shifted": (spaces.Discrete(3, start=-4), [-4, -3, -2]),
    "cells": (
        spaces.MultiDiscrete([2, 3]),
        [np.array(cell) for cell in product(range(2), range(3))],
    ),
    "shifted_cells": (
        spaces.MultiDiscrete([2, 2], start=[7, -1]),
        [np.array(cell) for cell in product((7, 8), (-1, 0))],
    ),
    "tuple": (
        spaces.Tuple([spaces.Discrete(3), spaces.Discrete(2, start=1), spaces.Discrete(2)]),
        list(product(range(3), (1, 2), range(2))),
    ),
}


@pytest.fixture(params=sorted(SPACES))
def space_and_all(request: pytest.FixtureRequest) -> tuple[spaces.Space[Any], list[Any]]:
    """A space and all of its observations, in order."""
    return SPACES[request.param]


def test_rows_enumerate_observations(space_and_all: Any) -> None:
    space, observations = space_and_all
    rows = TableRows(space)
    assert all(space.contains(observation) for observation in observations)
    assert rows.size == len(observations)
    assert [rows.one(observation) for observation in observations] == list(range(rows.size))
    for row, observation in enumerate(observations):
        found, is_single = rows.many(observation)
        assert (found.tolist(), is_single) == ([row], True)


def test_batch_rows_equal_single_rows(space_and_all: Any) -> None:
    space, observations = space_and_all
    backwards = observations[::-1]
    found, is_single = TableRows(space).many(backwards)  # a list of observations
    assert (found.tolist(), is_single) == (list(range(len(observations)))[::-1], False)
    assert found.dtype == np.int64
    array = np.array(backwards)
    np.testing.assert_array_equal(TableRows(space).many(array)[0], found)
    if array.min() >= 0:
        np.testing.assert_array_equal(TableRows(space).many(array.astype(np.uint64))[0], found)


def test_tuple_batch_of_columns() -> None:
    space, observations = SPACES["tuple"]
    columns = tuple(np.array(observations).T)
    found, is_single = TableRows(space).many(columns)
    assert (found.tolist(), is_single) == (list(range(12)), False)


def test_list_of_tuples_is_batch() -> None:
    space, _ = SPACES["tuple"]
    found, _ = TableRows(space).many([(2, 1, 0), (1, 1, 1), (0, 2, 1)])
    assert found.tolist() == [8, 5, 3]


def test_empty_batch_has_no_rows() -> None:
    found, is_single = TableRows(spaces.Discrete(4)).many(np.zeros(0, dtype=np.int64))
    assert (found.size, is_single) == (0, False)


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        ("discrete", 5),
        ("discrete", -1),
        ("discrete", [0, 9]),
        ("discrete", np.array([2**64 - 1], dtype=np.uint64)),
        ("discrete", 2**70),
        ("discrete", 1.0),
        ("discrete", True),
        ("discrete", None),
        ("discrete", "up"),
        ("discrete", []),
        ("discrete", [[1, 2], [1]]),
        ("discrete", [[1], [2]]),
        ("shifted", 0),
        ("shifted", -5),
        ("cells", 3),
        ("cells", [0, 3]),
        ("cells", [2, 0]),
        ("cells", [0, 0, 0]),
        ("cells", [[[0, 0]]]),
        ("shifted_cells", [0, 0]),
        ("tuple", (0, 0, 0)),
        ("tuple", (0, 1)),
        ("tuple", ()),
        ("tuple", 1),
        ("tuple", ([0, 1], [1], [0, 0])),
    ],
)
def test_rows_reject_invalid_observations(kind: str, wrong: Any) -> None:
    space, _ = SPACES[kind]
    with pytest.raises(ValueError, match="expected one") as caught:
        TableRows(space).many(wrong)
    assert str(space) in str(caught.value)


@pytest.mark.parametrize(
    "space",
    [
        spaces.Box(0, 1, (2,)),
        spaces.MultiBinary(3),
        spaces.MultiDiscrete([[2, 2], [2, 2]]),
        spaces.Dict({"a": spaces.Discrete(2)}),
        spaces.Tuple([spaces.Discrete(2), spaces.Box(0, 1, (1,))]),
    ],
    ids=str,
)
def test_rows_reject_unsupported_space(space: spaces.Space[Any]) -> None:
    with pytest.raises(TypeError, match='observation="index"') as caught:
        TableRows(space)
    assert str(space) in str(caught.value)
    with pytest.raises(TypeError, match="needs Discrete"):
        count_actions(space)


def test_spaces_restored_from_description(space_and_all: Any) -> None:
    pair = Spaces(space_and_all[0], spaces.Discrete(3, start=-1))
    assert read_spaces(json.loads(json.dumps(describe_spaces(pair)))) == pair
