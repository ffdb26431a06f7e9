"""Students as files: safetensors and model cards."""
