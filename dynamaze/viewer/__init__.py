"""Viewer of `dynamaze watch`, `dynamaze play` and notebooks: a maze, its agent and statistics.

`animate` plays episodes for a notebook; the other modules are the parts of the window:

| module | content |
| --- | --- |
| `environment` | environments and pictures of them |
| `statistics` | episodes, visit counts and regret |
| `overlays` | overlays of an agent, and of the environment itself |
| `layout` | picture, status strip and help in one frame |
| `recording` | video files and screenshots |
| `editor` | walls, start and goal changed by the mouse |
| `window` | window with the keys and clicks that all commands share |
| `policies` | policies that act without learning |
| `session` | session of a watched agent: speed, pause, single steps |
| `walk` | a maze walked by a person, in a window or in the terminal |
"""

from __future__ import annotations

from dynamaze.common.deprecation import lazy_exports

__all__ = ["animate"]

__getattr__ = lazy_exports(__name__, {"animate": ".animation"})
