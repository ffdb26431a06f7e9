"""Viewer of `dynamaze watch`, `dynamaze play` and notebooks: a maze, its agent and statistics.

`watch` shows an agent in a window while it learns, `record` makes a film of that for a notebook,
and `animate` plays episodes of what an agent has learned. The modules:

| module | content |
| --- | --- |
| `live`, `animation` | `watch` and `record`; `animate` |
| `environment` | environments and pictures of them |
| `statistics` | episodes, visit counts and regret |
| `overlays` | overlays of an agent, and of the environment itself |
| `layout` | picture, status strip and help in one frame |
| `recording` | video files and screenshots |
| `editor` | walls, start and goal changed by the mouse |
| `window` | window with the keys and clicks that all commands share |
| `policies`, `watched_agents` | policies that act without learning; steps of any agent |
| `comparison`, `curves`, `events` | several agents side by side |
| `session` | session of a watched agent: speed, pause, single steps |
| `walk` | a maze walked by a person, in a window or in the terminal |
"""

from __future__ import annotations

from dynamaze.common.deprecation import lazy_exports

__all__ = ["animate", "record", "watch"]

__getattr__ = lazy_exports(__name__, {"animate": ".animation", "record": ".live", "watch": ".live"})
