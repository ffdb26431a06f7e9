import numpy as np

from dynamaze.distill import Dataset, Distiller, FunctionSource, make_batch, make_student


def teacher(states):  # (batch, 4) -> (batch, 2) logits
    return 10 * states[:, :2]


def sample_states(rng, progress):
    return rng.random((32, 4), dtype=np.float32)


states = np.random.default_rng(0).random((50, 4), dtype=np.float32)
sources = {
    "labelled": Dataset(make_batch(states, teacher(states))),
    "unlabelled": FunctionSource(teacher, sample_states),
}
student = make_student("mlp", observation_shape=[4], num_actions=2, width=8)
Distiller(student, sources, "METHOD", total_steps=60, learning_rate=0.01).distil()
