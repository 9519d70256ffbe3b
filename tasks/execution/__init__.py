"""Execution of jobs: local slots or a fleet's workers, attempts, devices, servers."""
