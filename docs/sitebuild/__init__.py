"""What the documentation site adds to Sphinx: pages from registries and docstrings."""
