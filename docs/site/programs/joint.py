import numpy as np

from dynamaze.distill import Dataset, Distiller, make_batch, make_student

states = np.random.default_rng(0).random((300, 4), dtype=np.float32)
source = Dataset(make_batch(states, 10 * states[:, :2]))  # labels of the data, not of a teacher
shape = {"observation_shape": [4], "num_actions": 2}
teacher = make_student("mlp", width=64, seed=1, **shape)
student = make_student("mlp", width=8, **shape)
Distiller(student, source, "METHOD", teacher=teacher, total_steps=60, learning_rate=0.01).distil()
