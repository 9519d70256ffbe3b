"""Measurements on trained models, beyond the method itself."""
