"""Losses on unlabelled samples: augmented views, pseudo-labels and their weights."""
