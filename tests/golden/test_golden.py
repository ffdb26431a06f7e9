"""Tests that what the package computes is what it computed before."""

from __future__ import annotations

import pytest

from .golden import DATA, GROUPS, MissingError, compare, load_cases, load_stored

MOST_BYTES = 300_000
KEYS = [(group, key) for group in GROUPS for key in load_stored(group)]


@pytest.mark.parametrize(("group", "key"), KEYS, ids=[f"{group}-{key}" for group, key in KEYS])
def test_golden_values_are_unchanged(group, key):
    try:
        found = load_cases(group).CASES[key]()
    except MissingError as missing:
        pytest.skip(str(missing))
    difference = compare(load_stored(group)[key], found)
    assert difference is None, f"{group}: {key}: {difference}"


@pytest.mark.parametrize("group", GROUPS)
def test_golden_keys_are_stored(group):
    assert sorted(load_cases(group).CASES) == sorted(load_stored(group))


def test_golden_data_is_small():
    assert sum(path.stat().st_size for path in DATA.iterdir()) <= MOST_BYTES


def test_golden_data_has_cases():
    assert {path.stem for path in DATA.iterdir()} == set(GROUPS)
