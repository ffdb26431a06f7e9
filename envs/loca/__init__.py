"""Local change adaptation (LoCA): corridors whose rewards change in one place."""
