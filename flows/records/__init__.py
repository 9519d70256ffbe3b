"""What a run leaves: record, results, champion, provenance."""
