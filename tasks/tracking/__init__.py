"""MLflow: the tracker, its store, the outbox that survives an outage."""
