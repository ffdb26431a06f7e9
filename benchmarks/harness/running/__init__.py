"""Runner of independent runs: executors, workers, progress and their end."""
