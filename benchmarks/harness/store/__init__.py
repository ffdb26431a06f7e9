"""Store of runs: an SQLite file, what identifies a run, and where it comes from."""
