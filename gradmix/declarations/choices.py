"""Values that settings may take."""

from typing import Literal

Normalisation = Literal["image", "imagenet", "half", "clip", "unit", "none"]
"""Per image (`image`), by the colour statistics of ImageNet (`imagenet`) or of CLIP's photos
(`clip`), to [-1, 1] (`half`), to [0, 1] (`unit`), or not at all, for feature maps (`none`)."""
Norm = Literal["batch", "none"]
Precision = Literal["float32", "bfloat16"]
Rule = Literal["sgd", "adamw"]
Schedule = Literal["constant", "cosine", "linear"]
Grouping = Literal["layer", "tensor", "model"]
Direction = Literal["reverse", "forward"]
Opposed = Literal["vertex", "skip"]
"""What to do in a layer where no source's gradient points along the target's: use the least bad
source alone, or skip the sources."""
Adversary = Literal["log", "least_squares"]
UnlabelledTerm = Literal["mixed", "added"]
SourceScope = Literal["all", "target_classes", "none"]
"""Sources a method reads: all, those with the target's label space, or none."""
