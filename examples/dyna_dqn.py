"""Let DQN of Stable-Baselines3 also learn from the steps that a learned model simulates."""

import gymnasium as gym
from stable_baselines3 import DQN
from stable_baselines3.common.monitor import Monitor

from dynamaze.agents.sb3 import DynaCallback

MAZE = "S...\n.##.\n...G"

settings = {"learning_rate": 1e-3, "learning_starts": 200, "gamma": 0.95, "seed": 0}
settings |= {"train_freq": 4, "gradient_steps": 4, "exploration_fraction": 0.5, "device": "cpu"}
dyna = DynaCallback("linear", real_ratio=0.1, rollout_length=4, seed=0)
for name, callback in (("DQN", None), ("DQN with a model", dyna)):
    env = Monitor(gym.make("DynaMaze-v0", layout=MAZE, observation="one_hot"))
    DQN("MlpPolicy", env, **settings).learn(1000, callback=callback)
    print(f"{name}: {len(env.get_episode_lengths())} goals in 1000 steps")
