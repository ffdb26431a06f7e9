"""Times of changes: the processes by which they come, and the clock of one environment."""
