"""Students as ONNX graphs: the writer, and the policy that runs a graph."""
