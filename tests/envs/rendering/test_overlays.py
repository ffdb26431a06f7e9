"""Overlays as data: checked, copied, replaced and hidden."""

from __future__ import annotations

import copy
import pickle  # noqa: TID251  # our own bytes, of this process
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamaze.envs.rendering import OVERLAYS, Overlays
from dynamaze.envs.rendering.overlays import SWITCHES, find_overlay, overlay_title

SHAPE = (2, 3)
GIVEN: dict[str, Any] = {
    "values": np.arange(6.0),
    "q": np.arange(24.0).reshape(6, 4),
    "policy": np.full((6, 4), 0.25),
    "visits": np.arange(6),
    "belief": np.array([[True, False, False], [False, False, True]]),
    "planned": np.array([[0, 1], [5, 3]]),
    "tree": np.arange(6),
}


def overlays(**given: Any) -> Overlays:
    return Overlays().replace(SHAPE, **given)


def test_overlays_table_lists_all_names() -> None:
    assert list(OVERLAYS) == [*GIVEN, *SWITCHES]
    assert len(OVERLAYS) == 9
    assert all(find_overlay(overlay_title(name)) == name for name in OVERLAYS)
    assert [find_overlay(given) for given in ("q", " Action_Values ", "search-tree visits")] == [
        "q", "q", "tree",
    ]  # fmt: skip
    with pytest.raises(ValueError, match=r"overlay='polcy'; .*'state-values', .*did you mean"):
        find_overlay("polcy")
    assert overlays(**GIVEN).names == tuple(GIVEN)


@pytest.mark.parametrize("name", [name for name in GIVEN if name != "planned"])
def test_replace_accepts_flat_and_full(name: str) -> None:
    flat = np.asarray(GIVEN[name]).reshape(
        6, *np.shape(GIVEN[name])[2 if name == "belief" else 1 :]
    )
    full = flat.reshape(*SHAPE, *flat.shape[1:])
    one, other = (getattr(overlays(**{name: array}), name) for array in (flat, full))
    assert one.shape == full.shape
    assert one.dtype == np.float64
    np.testing.assert_array_equal(one, full)
    np.testing.assert_array_equal(other, full)


@pytest.mark.parametrize("name", GIVEN)
def test_replace_copies_read_only(name: str) -> None:
    given = GIVEN[name].copy()
    kept = getattr(overlays(**{name: given}), name)
    before = kept.copy()
    given[...] = 0
    np.testing.assert_array_equal(kept, before)
    with pytest.raises(ValueError, match="read-only"):
        kept[...] = 0


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
def test_copies_and_pickles_read_only(duplicate: Any) -> None:
    twin = duplicate(overlays(**GIVEN, trail=False))
    assert twin.hidden == {"trail"}
    for name in GIVEN:
        assert not getattr(twin, name).flags.writeable


def test_replace_keeps_other_arrays() -> None:
    old = overlays(**GIVEN)
    new = old.replace(SHAPE, values=np.zeros(6), q=None)
    assert old.q is not None
    assert new.q is None
    assert new.visits is old.visits
    assert new.values is not None
    assert not new.values.any()


def test_replace_is_all_or_nothing() -> None:
    old = overlays(values=np.arange(6))
    with pytest.raises(ValueError, match="visits"):
        old.replace(SHAPE, values=np.zeros(6), visits=-np.ones(6))
    np.testing.assert_array_equal(old.values, np.arange(6.0).reshape(SHAPE))
    assert old.visits is None


def nested(value: float) -> list[list[float]]:
    return [[value] * 3] * 2


def row(*values: float) -> Any:
    return [list(values)] + [[1, 0, 0, 0]] * 5


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"valeus": np.zeros(6)}, r"overlay='valeus'; expected one of \['values', 'q', .*; did "
                                  r"you mean 'values'\?"),
        ({"hidden": {"q"}}, "overlay='hidden'; expected one of"),
        ({"values": np.zeros(5)}, r"values: array of shape \(5,\); expected \(6,\) or \(2, 3\)"),
        ({"values": np.zeros((3, 2))}, r"values: array of shape \(3, 2\)"),
        ({"values": 3.0}, r"values: array of shape \(\)"),
        ({"values": nested(np.inf)}, r"values: inf at cell \(0, 0\); expected a finite number"),
        ({"q": np.zeros(6)}, r"q: array of shape \(6,\); expected \(6, 4\) or \(2, 3, 4\)"),
        ({"q": row(0, 0, -np.inf, 0)}, r"q: -inf at cell \(0, 0\), action 2"),
        ({"policy": row(0.5, 0.6, 0, 0)}, r"policy: probabilities of cell \(0, 0\) sum to 1.1; "),
        ({"policy": row(1.5, -0.5, 0, 0)}, r"policy: 1.5 at cell \(0, 0\), action 0; expected a "
                                           r"probability in \[0, 1\]"),
        ({"visits": [0, 0, 0, 0, -1, 0]}, r"visits: -1.0 at cell \(1, 1\); expected a count"),
        ({"tree": nested(-1)}, r"tree: -1.0 at cell \(0, 0\); expected a count"),
        ({"belief": nested(1.5)}, r"belief: 1.5 at cell \(0, 0\); expected a probability"),
        ({"planned": [[0, 4]]}, r"planned: state 0, action 4 in row 0; expected a state below 6"),
        ({"planned": [[0, 0], [6, 0]]}, r"planned: state 6, action 0 in row 1"),
        ({"planned": [[-1, 0]]}, r"planned: state -1, action 0 in row 0"),
        ({"planned": [0, 1, 2]}, r"planned: array of shape \(3,\); expected \(n, 2\)"),
        ({"value_range": (1, 1)}, r"value_range: \(1, 1\); expected two finite numbers, low < hi"),
        ({"value_range": (0, np.inf)}, "value_range: .*; expected two finite numbers"),
        ({"value_range": 3}, "value_range: 3; expected two finite numbers"),
    ],
)  # fmt: skip
def test_replace_rejects_invalid_numbers(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        overlays(**given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"dark": 1}, "dark: 1; expected True, False or None"),
        ({"values": "abc"}, "values: array of <U3; expected numbers of shape"),
        ({"values": [[1], [1, 2]]}, "values: not an array .list.; expected numbers"),
        ({"values": np.zeros(6, dtype=complex)}, "values: array of complex128"),
        ({"values": {"a": 1}}, "values: array of object"),
        ({"planned": [[0.0, 1.0]]}, "planned: array of float64; expected integers"),
        ({"trail": 1}, "trail: 1; expected True, False or None"),
        ({"changed": np.ones(6)}, "changed: .*expected True, False or None"),
    ],
)
def test_replace_rejects_wrong_types(given: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        overlays(**given)


def test_replace_accepts_nan() -> None:
    for name in ("values", "visits", "tree", "belief", "q", "policy"):
        size = (6, 4) if name in ("q", "policy") else 6
        assert np.isnan(getattr(overlays(**{name: np.full(size, np.nan)}), name)).all()


def test_policy_accepts_zero_rows() -> None:
    policy = overlays(policy=np.zeros((6, 4))).policy
    assert policy is not None
    assert not policy.any()


@pytest.mark.parametrize("nothing", [[], np.empty((0, 2), dtype=int)])
def test_planned_accepts_no_updates(nothing: Any) -> None:
    planned = overlays(planned=nothing).planned
    assert planned is not None
    assert planned.shape == (0, 2)


def test_switches_hide_and_show() -> None:
    off = overlays(trail=False, changed=np.False_)
    assert off.hidden == set(SWITCHES)
    assert off.replace(SHAPE, trail=True, changed=None).hidden == set()


@given(names=st.sets(st.sampled_from(list(OVERLAYS))))
def test_only_keeps_arrays(names: set[str]) -> None:
    full = overlays(**GIVEN)
    some = full.only(names)
    assert some.hidden == OVERLAYS.keys() - names
    assert some.names == tuple(name for name in GIVEN if name in names)
    assert some.visible().names == some.names
    for name in GIVEN:
        assert getattr(some, name) is getattr(full, name)
        assert (getattr(some.visible(), name) is not None) == (name in names)
    assert some.only(OVERLAYS).names == full.names


def test_only_rejects_unknown_name() -> None:
    with pytest.raises(ValueError, match=r"overlay='vists'; .*did you mean 'visits'\?"):
        Overlays().only(["vists"])


def test_check_rejects_other_shape() -> None:
    overlays(**GIVEN).check(SHAPE)
    with pytest.raises(
        ValueError, match=r"values: array for a maze of \(2, 3\); expected \(3, 2\)"
    ):
        overlays(values=np.zeros(6)).check((3, 2))
    with pytest.raises(ValueError, match="planned: state 5, action 3 in row 1"):
        overlays(planned=GIVEN["planned"]).check((1, 3))
