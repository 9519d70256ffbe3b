"""`Mixer`: GradMix in your own training loop, with any module and any optimiser."""
