"""Pixels of single images: geometry, cropping, writing to disk."""
