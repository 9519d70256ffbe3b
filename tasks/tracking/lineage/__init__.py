"""The chain from a model back to the raw files: graph, notes, page."""
