from dynamaze.distill import Distiller, make_method, make_student
from dynamaze.envs.generation.planes import ShortestPathPolicy

student = make_student("value_iteration")
method = make_method("METHOD", rows=7, cols=7)
teacher = ShortestPathPolicy()
Distiller(student, None, method, teacher=teacher, total_steps=30, learning_rate=0.05).distil()
