import gymnasium as gym

from dynamaze.distill import Distiller, OnPolicy, make_student

env = gym.make_vec("DynaMaze-v0", num_envs=8, observation="one_hot", max_episode_steps=100)
shape = {"observation_shape": (54,), "num_actions": 4}
teacher = make_student("mlp", width=64, seed=1, **shape)  # acts, and learns from rewards
student = make_student("mlp", width=8, **shape)
source = OnPolicy(env, teacher, steps=32)
Distiller(student, source, "METHOD", teacher=teacher, total_steps=5, learning_rate=3e-3).distil()
