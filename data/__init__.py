"""From data sets on disk to tensors, splits and tables; imports only torch, numpy and pyarrow."""
