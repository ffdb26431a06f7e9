"""Draw a maze whose wall moves at world step 500, and see how Dyna-Q adapts."""

import gymnasium as gym

from dynamaze.agents import DynaQ

MAZE = """\
S...#
.##..
....G
@ 500
S.#..
.....
#.#.G"""

env = gym.make("DynaMaze-v0", layout=MAZE, slip_probability=0.1)
agent = DynaQ(env, planning_steps=20, seed=0)
for last in (500, 1000):
    steps = [step for _, step in zip(range(500), agent.steps(), strict=False)]
    goals = sum(step.terminated for step in steps)
    print(f"up to world step {last}: {goals} goals")
