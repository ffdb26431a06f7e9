"""Local change adaptation (LoCA): its protocol, evaluation and command."""
