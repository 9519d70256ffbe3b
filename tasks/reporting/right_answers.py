"""Encoding of correct answers in the record: bits, deflated, in base64."""

import base64
import binascii
import zlib

import numpy as np

from tasks.codec import CodecError
from tasks.reporting.stats.crossed import Right


def packed(right: Right) -> str:
    """Encode truth values [N]."""
    return base64.b64encode(zlib.compress(np.packbits(right).tobytes(), 9)).decode("ascii")


def unpacked(text: str, n: int) -> Right:
    """Decode `n` truth values.

    Raises:
        CodecError: if the text does not hold that many.
    """
    try:
        bits = np.frombuffer(zlib.decompress(base64.b64decode(text, validate=True)), np.uint8)
    except (binascii.Error, zlib.error, ValueError) as error:
        raise CodecError(
            "record: expected deflated bits in base64 under `right`, found another text; gradmix "
            "reproduce makes the record again."
        ) from error
    if len(bits) != -(-n // 8):
        raise CodecError(
            f"record: expected {n} truth values under `right`, found {8 * len(bits)} bits; "
            "gradmix reproduce makes the record again."
        )
    return np.unpackbits(bits, count=n).astype(np.bool_)
