"""The report of a reproduction, made from its record alone; imports no torch, Prefect or MLflow."""
