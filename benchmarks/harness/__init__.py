"""What experiments share: runs, tables, statistics, curves and timing."""
