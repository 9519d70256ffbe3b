-- Run once, when Postgres' volume is new. POSTGRES_DB creates the database `prefect`.
CREATE DATABASE mlflow;
