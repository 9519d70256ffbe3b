"""Stages of the pipeline, one per file: `describe` gives the identity, `execute` the result."""
