"""Studies of models and agents: one module each."""
