"""The commands: the table of them, and those that open windows or write pages."""
