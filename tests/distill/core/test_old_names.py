"""The table of names of version 0.1."""

from __future__ import annotations

from dynamaze.distill.core.old_names import (
    CONFIG_KEYS,
    KINDS,
    current_card,
    current_config,
)
from dynamaze.distill.students.registry import STUDENTS


def test_current_config_renames_kinds_and_keys() -> None:
    old = {
        "kind": "actor_critic",
        "actor": {"kind": "recurrent_planner", "maps": 4},
        "critic": {"kind": "conv", "asks": True},
        "bits": 8,
        "per": "tensor",
    }
    assert current_config(old) == {
        "kind": "actor_critic",
        "actor": {"kind": "value_iteration", "maps": 4},
        "critic": {"kind": "conv", "per_cell": True},
        "bits": 8,
        "granularity": "tensor",
    }


def test_current_names_are_unchanged() -> None:
    config = {"kind": "gaussian", "inner": {"kind": "value_iteration"}, "low": [-1], "high": [1]}
    assert current_config(config) == config
    card = {"normalised_return": None, "made": "By hand."}
    assert current_card(card) == card
    assert current_card({"return_kept": None, "made": "By hand."}) == card
    assert not KINDS.keys() & STUDENTS.keys()
    assert not set(CONFIG_KEYS) & set(CONFIG_KEYS.values())
