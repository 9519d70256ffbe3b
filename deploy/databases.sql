-- Run once, when Postgres' volume is new. The database `prefect` is made by POSTGRES_DB.
CREATE DATABASE mlflow;
