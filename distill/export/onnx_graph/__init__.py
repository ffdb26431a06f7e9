"""Students as ONNX: the writer of the file, and the policy that runs it."""
