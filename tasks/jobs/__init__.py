"""Jobs, which run in their own processes: one per file, and what they share."""
