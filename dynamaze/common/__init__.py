"""Shared utilities: storage, validation, compilation, optional imports, registration."""
