"""Distil a large PPO teacher into a student of 220 parameters, and write it to student.h."""

import gymnasium as gym
from stable_baselines3 import PPO

from dynamaze.distill import Distiller, Rollouts, evaluate, export_c, make_student
from dynamaze.envs import sb3_vec_env

network = {"net_arch": [256, 256]}
mazes = sb3_vec_env("DynaMaze-v0", 16, seed=0, observation="one_hot")
settings = {"n_steps": 64, "batch_size": 256, "gamma": 0.95, "ent_coef": 0.01, "n_epochs": 5}
teacher = PPO("MlpPolicy", mazes, policy_kwargs=network, seed=0, device="cpu", **settings)
teacher.learn(15_000)

env = gym.make_vec("DynaMaze-v0", num_envs=8, observation="one_hot", max_episode_steps=200)
student = make_student("linear", observation_shape=(54,), num_actions=4)
Distiller(student, Rollouts(teacher, env), total_steps=400, learning_rate=0.03).distil()
export_c("student.h", student, env.single_observation_space.sample())

for policy, network in ((teacher, teacher.policy), (student, student)):
    result = evaluate(policy, env, episodes=50, gamma=0.95, seed=0, deterministic=False)
    size = sum(weight.numel() for weight in network.parameters())
    print(f"{size} parameters: {result.success_rate.mean:.0%} of the episodes reach the goal")
