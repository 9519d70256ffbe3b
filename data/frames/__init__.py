"""Frames of clips: decoding, chunks that resume, the packed store."""
