"""What can be known of a run before it starts: problems, warnings, and what it will need.

May import `flows.experiment` and `flows.pipeline`. Nothing here writes a file.
"""
