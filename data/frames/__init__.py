"""Frames of clips: decoding, resumable chunks, the packed store."""
