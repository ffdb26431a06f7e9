"""Which agents adapt to a local change (LoCA)."""
