"""Exports of students: compiled policies, ONNX graphs and C headers."""
