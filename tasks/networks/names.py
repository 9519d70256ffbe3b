"""What the keys of `[network]` may say besides names of trunks and parts, and paths."""

NONE, IMAGENET, PRETRAINED = "none", "imagenet", "pretrained"
"""Values of `weights` other than the path of a file. The last is for timm's models only."""

ALL = "all"
"""Value of `frozen` for the whole trunk: its features are stored, and what is trained on them is
linear."""

TIMM = "timm:"
"""Prefix of `trunk` for a model of timm."""
