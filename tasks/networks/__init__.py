"""Trunks and their pretrained weights."""
