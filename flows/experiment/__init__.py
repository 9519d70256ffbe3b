"""Experiment files: reading, checking, and resolution to a run specification."""
