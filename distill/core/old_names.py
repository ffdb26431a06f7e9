"""Names in files of version 0.1 and the names of today; every reader of files uses this table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KINDS = {"own": "torch_module", "recurrent_planner": "value_iteration"}
"""Kinds of students."""

CONFIG_KEYS = {"asks": "per_cell", "per": "granularity"}
"""Entries of a student's `config`."""

CARD_KEYS = {"return_kept": "normalised_return"}
"""Entries of a model card."""


def current_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a student's `config`, and those of its parts, with the names of today."""
    current = {
        CONFIG_KEYS.get(key, key): current_config(value) if isinstance(value, Mapping) else value
        for key, value in config.items()
    }
    kind = current.get("kind")
    if isinstance(kind, str):
        current["kind"] = KINDS.get(kind, kind)
    return current


def current_card(card: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of a model card under the names of today."""
    return {CARD_KEYS.get(key, key): value for key, value in card.items()}
