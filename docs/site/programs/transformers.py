from dynamaze.distill import Distiller, FunctionSource, make_student
from dynamaze.envs import MazeGenerator
from dynamaze.envs.generation.planes import query_all_cells


def sample_mazes(rng, progress):
    return query_all_cells(MazeGenerator(5), rng.integers(10**6, size=4).tolist())


teacher = make_student("transformer", layers=4, width=32, seed=1)  # a trained one: load_student
student = make_student("transformer", layers=2, width=16)
source = FunctionSource(teacher, sample_mazes)
Distiller(student, source, "METHOD", teacher=teacher, total_steps=20, learning_rate=0.003).distil()
