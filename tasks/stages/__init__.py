"""The stages of the pipeline, one a file: `describe` gives the identity, `execute` the result."""
