"""Student files: weights in safetensors format, and model cards."""
