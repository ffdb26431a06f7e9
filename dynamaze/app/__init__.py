"""Commands of `dynamaze`: their table, and the commands that open windows or write pages."""
