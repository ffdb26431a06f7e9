"""Reports, comparisons and exports of stored runs."""
