"""Servers, workers, deployments and automations, declared; may import flows and below."""
