"""Labelling of files with a trained model, for `gradmix predict`."""
