"""Prefect flows, the command line and experiment files; may import tasks and settings types."""
