"""Trained models as things of their own: the model folder, and what is made from it."""
