import gymnasium as gym
import numpy as np

from dynamaze.distill import Distiller, OnPolicy, make_student

env = gym.make_vec("DynaMaze-v0", num_envs=8, observation="one_hot", max_episode_steps=100)


def teacher(observations):
    return np.tile([1.0, 2.0, 0.0, 0.0], (len(observations), 1))  # prefers to go right


student = make_student("mlp", observation_shape=(54,), num_actions=4, width=16)
source = OnPolicy(env, student, teacher=teacher, steps=32)
Distiller(student, source, "METHOD", total_steps=5, learning_rate=3e-3).distil()
