"""Outputs of a run: record, results, champion, provenance."""
