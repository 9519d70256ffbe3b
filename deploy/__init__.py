"""Declared servers, workers, deployments and automations; may import flows and below."""
