"""How a stage runs: identity, cache, MLflow run, Prefect task, job."""
