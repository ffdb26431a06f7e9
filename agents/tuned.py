"""Arguments of agents that were searched for, by environment: the file `tuned.toml` beside.

`dynamaze bench run adaptation-tuning` searches, and `dynamaze bench tuned` writes the file, whose
head names the commands and the budget. The settings of Sutton & Barto's figures are not in it.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from dynamaze.common.validation import did_you_mean

TUNED_FILE = Path(__file__).with_suffix(".toml")


class TunedAgent(NamedTuple):
    """Arguments of an agent for an environment."""

    setting: str
    """Name of the setting that it was tuned in."""
    environment: str
    """Id of the setting's environment; empty where it takes more than the id to make it."""
    agent: str
    """Name of the agent; two of a class differ in their parts."""
    kind: str
    """Name of the class."""
    arguments: dict[str, Any]


@cache
def tuned_agents() -> tuple[TunedAgent, ...]:
    """Return all entries of the file, in its order."""
    entries = tomllib.loads(TUNED_FILE.read_text(encoding="utf-8")).get("tuned", [])
    return tuple(TunedAgent(**entry) for entry in entries)


def find_tuned(kind: str, name: str, agent: str | None = None) -> TunedAgent:
    """Return the entry of a class for an environment.

    Args:
        kind: name of the class.
        name: of the setting, or the id of its environment.
        agent: name of the agent, where there are several of the class; None for the first.

    Raises:
        ValueError: if there is none; names those that there are.
    """
    own = [entry for entry in tuned_agents() if entry.kind == kind]
    if not own:
        kinds = dict.fromkeys(entry.kind for entry in tuned_agents())
        raise ValueError(f"no tuned arguments of {kind}; expected one of {', '.join(kinds)}")
    here = [entry for entry in own if name in (entry.setting, entry.environment) and name]
    if not here:
        names = [
            *dict.fromkeys(
                each for entry in own for each in (entry.environment, entry.setting) if each
            )
        ]
        raise ValueError(
            f"{name!r}, for which {kind} was not tuned; expected one of {', '.join(names)}"
            f"{did_you_mean(name, names)}"
        )
    found = [entry for entry in here if agent in (None, entry.agent)]
    if not found:
        agents = ", ".join(entry.agent for entry in here)
        raise ValueError(f"agent={agent!r} of {kind} in {name!r}; expected one of {agents}")
    return found[0]
