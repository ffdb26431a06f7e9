from dynamaze.distill import Distiller, FunctionSource, make_student
from dynamaze.envs import MazeGenerator
from dynamaze.envs.generation.planes import ShortestPathPolicy, query_all_cells


def sample_mazes(rng, progress):
    return query_all_cells(MazeGenerator(5), rng.integers(10**6, size=8).tolist())


student = make_student("conv", observation_shape=(3, 5, 5), num_actions=4, channels=8)
source = FunctionSource(ShortestPathPolicy(), sample_mazes)
Distiller(student, source, "METHOD", total_steps=30, learning_rate=0.01).distil()
