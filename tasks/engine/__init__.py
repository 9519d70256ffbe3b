"""Execution of a stage: identity, cache, MLflow run, Prefect task, job."""
