"""Trained models on their own: the model folder, and what is made from it."""
