"""MLflow: the tracker, its store, and the outbox that bridges outages."""
