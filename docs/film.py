"""Make the film of the README: Dyna-Q+ in the blocking maze, before and after the change.

`python docs/film.py` writes docs/learning.gif, in some ten seconds. `PARTS` selects the world steps
that are shown.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from dynamaze.agents import DynaQPlus
from dynamaze.envs.rendering import Animation
from dynamaze.envs.rendering.scene import Frame
from dynamaze.viewer.environment import Camera, make_env
from dynamaze.viewer.overlays import AgentOverlays
from dynamaze.viewer.statistics import EpisodeStatistics, RecordStatistics, format_regret
from dynamaze.viewer.window import ViewerWindow

OUTPUT = Path(__file__).with_name("learning.gif")
CHANGE = 1000
"""World step at which the maze changes."""

PARTS = (
    ("Dyna-Q+ explores until it finds the goal", range(1, 171, 14)),
    ("Planning spreads the goal's value", range(171, 204, 4)),
    ("Before the change: the short path", range(988, CHANGE + 1, 3)),
    ("The short path is blocked, another one opens", range(CHANGE + 1, 1080, 6)),
    ("The values change along the new path", range(1081, 1182, 8)),
    ("Dyna-Q+ takes the new path", range(1182, 1201, 2)),
)
"""Captions, and the world steps after which a frame is drawn."""

MAX_SIZE = (342, 228)  # of the maze, in pixels
FPS = 6


def frames() -> Iterator[Frame]:
    """Yield the frames, (height, width, 3) uint8 each."""
    env = make_env("DynaMazeBlocking-v0")
    camera = Camera(env, MAX_SIZE)
    recorded = RecordStatistics(env, camera, gamma=0.95)
    agent = DynaQPlus(recorded, planning_steps=50, learning_rate=1.0, kappa=1e-3, seed=5)
    assert camera.maze is not None
    window = ViewerWindow(
        env,
        camera=camera,
        display=None,
        overlay_source=AgentOverlays(agent, camera.maze, recorded),
        min_size=(0, 0),
    )
    window.show_overlays(["values", "policy"])
    statistics = EpisodeStatistics("Dyna-Q+")
    captions = {step: caption for caption, steps in PARTS for step in steps}
    last = max(captions)
    for step in agent.steps():
        statistics.add(step)
        if statistics.num_steps in captions:
            assert recorded.regret is not None
            window.snapshot = recorded.final_snapshot
            fields = [
                ("world step", f"{statistics.num_steps:,}"),
                ("episode", f"{step.episode + 1:,}"),
                ("regret", format_regret(recorded.regret.total)),
            ]
            yield window.compose_frame(fields, captions[statistics.num_steps])
        if statistics.num_steps == last:
            return


if __name__ == "__main__":
    output = Path(sys.argv[1]) if len(sys.argv) > 1 else OUTPUT
    Animation(frames(), fps=FPS).save(output)
    print(output)
