"""Analysis of results: tables, statistics, intervals, and the style of plots."""
