"""Learning and planning in environments that change.

`import dynamaze` registers the environments with Gymnasium and does nothing more:

    >>> import gymnasium as gym, dynamaze
    >>> env = gym.make("DynaMazeBlocking-v0")

The parts are in `dynamaze.envs`, `dynamaze.agents`, `dynamaze.distill`, `dynamaze.benchmarks`.
"""

from __future__ import annotations

from .common.registration import register_environments
from .common.version import __version__

__all__ = ["__version__"]

register_environments()
