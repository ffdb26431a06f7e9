"""Record an agent that learns, with its state values as colors, to film.gif; no display needed."""

import gymnasium as gym
import numpy as np

from dynamaze.agents import DynaQPlus
from dynamaze.envs.rendering import Recorder

env = gym.make("DynaMazeShortcut-v0", render_mode="rgb_array")
agent = DynaQPlus(env, planning_steps=50, learning_rate=1.0, seed=0)
with Recorder("film.gif", fps=20) as film:
    for _, _step in zip(range(300), agent.steps(), strict=False):
        values = agent.values.values(np.arange(54)).max(axis=1)
        env.unwrapped.set_overlay(values=values)
        film.add(env.render())
print(f"{film.num_frames} frames of {env.render().shape} in {film.path}")
