import gymnasium as gym

from dynamaze.distill import Distiller, OnPolicy, make_student

students, sources = {}, {}
for seed, (name, env_id) in enumerate({"a": "DynaMaze-v0", "b": "DynaMazeShortcut-v0"}.items()):
    env = gym.make_vec(env_id, num_envs=8, observation="one_hot", max_episode_steps=100)
    students[name] = make_student(
        "mlp", observation_shape=(54,), num_actions=4, width=16, seed=seed
    )
    sources[name] = OnPolicy(env, students[name], steps=32)
Distiller(students, sources, "METHOD", total_steps=5, learning_rate=3e-3).distil()
