"""Where labelled batches come from: sources, replay and play."""
