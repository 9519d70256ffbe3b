"""Trunks and where their pretrained weights lie."""
