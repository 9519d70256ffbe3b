"""The experiment file: read, checked, resolved to a run specification."""
