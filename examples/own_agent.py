"""Write an agent without a base class, and compare it with Dyna-Q: reward, regret and recovery."""

from functools import partial

import numpy as np

from dynamaze.agents import DynaQ
from dynamaze.benchmarks import benchmark


class MyAgent:
    """Q-learning in five lines."""

    def __init__(self, env, seed):
        self.rng, self.q = np.random.default_rng(seed), np.zeros((env.observation_space.n, 4))

    def act(self, observation):  # noisy, so that ties are broken at random
        return int(np.argmax(self.q[observation] + 1e-3 * self.rng.random(4)))

    def update(self, observation, action, reward, next_observation, terminated, truncated):
        target = reward + 0.95 * (not terminated) * self.q[next_observation].max()
        self.q[observation, action] += 0.5 * (target - self.q[observation, action])


agents = {"mine": MyAgent, "Dyna-Q": partial(DynaQ, planning_steps=50)}
benchmark(agents, "DynaMazeBlocking-v0", steps=1500, runs=30, seed=0, workers=1).summary()
