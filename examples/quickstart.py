"""Let Dyna-Q+ learn a maze in which a shortcut opens, and compare its path with the shortest."""

import gymnasium as gym

from dynamaze.agents import DynaQPlus

agent = DynaQPlus("DynaMazeShortcut-v0", planning_steps=50, learning_rate=1.0, seed=0)
agent.learn(6000)  # the shortcut opens at world step 3000

env = gym.make("DynaMazeShortcut-v0")
observation, info = env.reset(seed=0, options={"world_step": 6000})
terminated, steps = False, 0
while not terminated and steps < 100:
    action, _ = agent.predict(observation, deterministic=True)
    observation, reward, terminated, truncated, info = env.step(action)
    steps += 1
print(f"the agent's path: {steps} steps; the shortest: {env.unwrapped.shortest_path_length}")
