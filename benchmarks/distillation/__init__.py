"""Experiments of distillation: teachers, students, frontiers."""
