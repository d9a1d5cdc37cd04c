"""Data: files, cohorts and their checks; the task put to a method; prepared arrays and what a stage may see of them."""
