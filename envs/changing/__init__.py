"""Changes of any Gymnasium environment: its attributes and tables, by the clock of the mazes."""
