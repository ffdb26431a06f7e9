"""What `dynamaze watch`, `dynamaze play` and notebooks show: a maze, its agent and how it fares.

`animate` plays an episode for a notebook; the other modules are the parts of the window:

| module | what it does |
| --- | --- |
| `environment` | a picture of any environment, as large as there is room for |
| `layout` | puts the picture, the status strip and the help together |
| `window` | the window: draws, records, hears the keys and clicks that all commands share |
| `controls` | when an agent may take its next step |
| `witness`, `statistics` | what has happened so far: regret, visits, episodes |
| `overlays`, `ground_truth` | the arrays behind the overlays: what an agent knows, and what is so |
| `editor` | opens and closes walls with the mouse |
| `recording` | writes films and pictures to files |
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["animate"]


def __getattr__(name: str) -> Any:
    # Playing a maze loads no agents.
    if name == "animate":
        return import_module(".animation", __name__).animate
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
