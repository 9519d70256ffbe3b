"""Measurements on trained models that are not part of the method."""
