"""What every wing stands on: storage, validation, Numba, registration."""
