"""Linear Dyna: planning and evaluation with linear models of features."""
