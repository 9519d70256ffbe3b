"""One thin Prefect task per stage; may import gradmix, data, prefect; only `tracking` mlflow."""
