"""`Mixer`: the method in a training loop of one's own, around any module and any optimiser."""
