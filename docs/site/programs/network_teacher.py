import numpy as np

from dynamaze.distill import Distiller, FunctionSource, make_student


def sample_states(rng, progress):
    return rng.random((32, 4), dtype=np.float32)


shape = {"observation_shape": [4], "num_actions": 2}
teacher = make_student("mlp", width=64, seed=1, **shape)  # a trained one: load_student(path)
student = make_student("mlp", width=8, **shape)
source = FunctionSource(teacher, sample_states)
Distiller(student, source, "METHOD", teacher=teacher, total_steps=60, learning_rate=0.01).distil()
