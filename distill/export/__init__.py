"""The forms in which students leave torch: compiled policies, ONNX graphs, and C."""
