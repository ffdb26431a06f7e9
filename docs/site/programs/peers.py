import numpy as np

from dynamaze.distill import Dataset, Distiller, make_batch, make_student

states = np.random.default_rng(0).random((300, 4), dtype=np.float32)
labels = 10 * states[:, :2]  # the larger one of the first two features
sources = {
    "a": Dataset(make_batch(states[:50], labels[:50])),
    "b": Dataset(make_batch(states[50:100], labels[50:100])),
    "shared": Dataset(make_batch(states[100:], None)),
}
students = {
    name: make_student("mlp", observation_shape=[4], num_actions=2, width=8, seed=seed)
    for seed, name in enumerate("ab")
}
Distiller(students, sources, "METHOD", total_steps=60, learning_rate=0.01).distil()
