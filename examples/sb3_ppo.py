"""Train PPO of Stable-Baselines3 in 16 mazes at once, which one compiled call steps."""

import numpy as np
from stable_baselines3 import PPO

from dynamaze.envs import sb3_vec_env

env = sb3_vec_env("DynaMaze-v0", 16, seed=0, observation="one_hot")
model = PPO("MlpPolicy", env, n_steps=64, ent_coef=0.01, gamma=0.95, seed=0, device="cpu")
model.learn(10_000)
lengths = [episode["l"] for episode in model.ep_info_buffer]
print(f"the last {len(lengths)} episodes: {np.mean(lengths):.1f} steps; the shortest path has 14")
