"""Show the agent its distance to the goal in place of its cell, by a wrapper of Gymnasium."""

import gymnasium as gym
import numpy as np

from dynamaze.agents import DynaQ


class DistanceToGoal(gym.ObservationWrapper):
    """Observation (2,): rows and columns from the agent to the goal in the top right corner."""

    def __init__(self, env):
        super().__init__(env)
        self.observation_space = gym.spaces.MultiDiscrete([6, 9])

    def observation(self, observation):
        maze = self.unwrapped
        return np.abs(np.subtract(maze.layout.goals[0], maze.agent))


env = DistanceToGoal(gym.make("DynaMaze-v0"))
agent = DynaQ(env, planning_steps=20, learning_rate=1.0, seed=0)
lengths = [
    s.episode_length for _, s in zip(range(3000), agent.steps(), strict=False) if s.terminated
]
print(f"starts at {env.reset(seed=0)[0]}; first episode: {lengths[0]} steps, last: {lengths[-1]}")
