"""Single images: decoding, pixel arithmetic, cropping, writing to disk."""
