"""State of parts by declared fields."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np
import pytest

from dynamaze.agents.core.records import Stateful


class Columns(NamedTuple):
    """Record with a column that grows."""

    fixed: Any
    growing: Any


class Inner(Stateful):
    """Part with one array."""

    state_fields: ClassVar = {"array": "array"}

    def __init__(self) -> None:
        self.array = np.zeros(2)


class Outer(Stateful):
    """Part with every kind of field."""

    state_fields: ClassVar = {
        "inner": "inner.",
        "record": "",
        "_rng": "generator",
        "count": "count",
        "plan": "plan",
    }
    growing_fields = ("growing",)
    optional_fields = ("plan",)

    def __init__(self, seed: int = 0) -> None:
        self.inner = Inner()
        self.record = Columns(np.zeros(2), np.zeros((1, 3)))
        self._rng = np.random.Generator(np.random.SFC64(seed))
        self.count = 0
        self.plan: Any = None

    def check_state(self, restored: dict[str, Any]) -> None:
        """Check that the count is not negative."""
        if restored["count"] < 0:
            raise ValueError(f"count {restored['count']}; expected at least 0")


def changed() -> Outer:
    part = Outer(seed=3)
    part.inner.array += 1
    part.record = Columns(np.ones(2), np.ones((4, 3)))
    part.count = 7
    part.plan = np.arange(3)
    part._rng.random(5)
    return part


def test_get_state_names_and_copies() -> None:
    part = changed()
    state = part.get_state()
    assert list(state) == ["inner.array", "fixed", "growing", "generator", "count", "plan"]
    state["plan"][0] = 9
    assert part.plan[0] == 0
    assert "plan" not in Outer().get_state()


def test_set_state_restores_everything() -> None:
    part, other = changed(), Outer()
    other.set_state(part.get_state())
    for name, value in part.get_state().items():
        np.testing.assert_array_equal(other.get_state()[name], value)
    assert other._rng.random() == part._rng.random()
    other.set_state(Outer().get_state())
    assert other.plan is None


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("inner.array", np.zeros(3), "array"),
        ("fixed", np.zeros(3), "fixed"),
        ("growing", np.zeros((4, 2)), "growing"),
        ("growing", np.zeros((4, 3), dtype=np.int64), "growing"),
        ("generator", np.zeros(3, dtype=np.uint64), "generator"),
        ("count", 1.5, "count"),
        ("count", -1, "count -1; expected at least 0"),
    ],
)
def test_set_state_changes_nothing_on_error(name: str, value: Any, message: str) -> None:
    part, bad = Outer(), {**changed().get_state(), name: value}
    before = part.get_state()
    with pytest.raises(ValueError, match=message):
        part.set_state(bad)
    with pytest.raises(ValueError, match=name.rpartition(".")[2]):
        part.set_state({key: kept for key, kept in bad.items() if key != name})
    for key, kept in before.items():
        np.testing.assert_array_equal(part.get_state()[key], kept)
