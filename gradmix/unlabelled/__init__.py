"""Losses on unlabelled samples: views, pseudo-labels and their weights."""
