"""Local change adaptation (LoCA): corridors whose rewards change locally."""
