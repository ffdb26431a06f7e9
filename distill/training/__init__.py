"""The loop that trains students: losses, callbacks, restarts, pruning."""
