"""Data sets on disk to tensors, splits and tables; may import torch, numpy and pyarrow only."""
