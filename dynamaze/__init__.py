"""Learning and planning in environments that change.

`import dynamaze` registers the environments with Gymnasium and does nothing more:

    >>> import gymnasium as gym, dynamaze
    >>> env = gym.make("DynaMazeBlocking-v0")

The parts are in `dynamaze.envs`, `dynamaze.agents`, `dynamaze.distill`, `dynamaze.benchmarks`.
"""

from __future__ import annotations

import os

from .common.registration import register_environments
from .common.version import __version__

__all__ = ["__version__"]

# A checkout without symbolic links, run from its root: the sub-packages lie beside this folder.
_FOLDER = os.path.dirname(os.path.abspath(__file__))
if not os.path.isdir(os.path.join(_FOLDER, "envs")):
    __path__.append(os.path.dirname(_FOLDER))

register_environments()
