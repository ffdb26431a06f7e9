"""Write a model that forgets: it predicts only what happened in the last 200 steps."""

from collections import deque

import numpy as np

from dynamaze.agents import DynaQ, Transitions


class RecentSteps:
    """Model that samples from the latest transitions, as they happened."""

    capabilities = frozenset({"sample"})

    def __init__(self, size):
        self.stored = deque(maxlen=size)

    def update(self, transitions):
        self.stored.extend(zip(*transitions, strict=True))

    def sample(self, n, rng):
        rows = [self.stored[i] for i in rng.integers(len(self.stored), size=n)]
        return Transitions(*map(np.array, zip(*rows, strict=True)))


for name, model in (("own model", RecentSteps(200)), ("Dyna-Q's table", "latest_outcome")):
    agent = DynaQ("DynaMazeBlocking-v0", model=model, planning_steps=10, seed=0)
    goals = sum(step.terminated for _, step in zip(range(3000), agent.steps(), strict=False))
    print(f"{name}: {goals} goals in 3000 steps")
