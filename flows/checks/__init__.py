"""Checks of a run before it starts: problems, warnings, and the resources it needs.

May import `flows.experiment` and `flows.pipeline`. Nothing here writes a file.
"""
