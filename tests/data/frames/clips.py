"""Small videos encoded by the tests, with each frame's number painted into it."""

from fractions import Fraction

import av
import numpy as np

RATE = 25
WIDTH, HEIGHT = 64, 48
PICTURE, USER_DATA = b"\0\0\1\xb6", b"\0\0\1\xb2"
BITS, ACROSS, BLOCK_WIDTH, BLOCK_HEIGHT = 8, 4, 16, 24


def painted(number):
    """A frame, uint8 [48, 64, 3], with a white block for each set bit of its number."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for bit in range(BITS):
        top, left = bit // ACROSS * BLOCK_HEIGHT, bit % ACROSS * BLOCK_WIDTH
        block = pixels[top : top + BLOCK_HEIGHT, left : left + BLOCK_WIDTH]
        block[...] = 255 * (number >> bit & 1)
    return pixels


def number_in(pixels):
    """Read the number painted into a frame from the middles of its blocks."""
    gray = np.asarray(pixels).reshape(HEIGHT, WIDTH, 3)[..., 1]
    middles = gray[BLOCK_HEIGHT // 2 :: BLOCK_HEIGHT, BLOCK_WIDTH // 2 :: BLOCK_WIDTH]
    return sum(1 << bit for bit, value in enumerate(middles.ravel()) if value > 127)


def write_clip(
    path,
    count=None,
    codec="mpeg4",
    ticks=None,
    pixel_format="yuv420p",
    b_frames=0,
    rotation=0,
    **options,
):
    """Encode frames 0..count-1 at 25 per second, or at `ticks`; return the path."""
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=RATE)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixel_format
        stream.codec_context.max_b_frames = b_frames
        if rotation:
            stream.set_display_rotation(rotation)
        for number, tick in enumerate(range(count) if ticks is None else ticks):
            frame = av.VideoFrame.from_ndarray(painted(number), format="rgb24")
            frame.pts, frame.time_base = tick, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def rewrite_packets(path, change):
    """Rewrite the clip with packets mapped by `change`."""
    with av.open(str(path)) as source:
        (stream,) = source.streams.video
        old = [bytes(packet) for packet in source.demux(stream) if packet.size]
        changed = path.with_name(f"changed_{path.name}")
        with av.open(str(changed), "w") as container:
            copy = container.add_stream_from_template(stream)
            for number, content in enumerate(change(old)):
                packet = av.Packet(content)
                packet.stream, packet.time_base = copy, Fraction(1, RATE)
                packet.pts = packet.dts = number
                packet.is_keyframe = number == 0
                container.mux(packet)
    return changed


def not_coded(tick, comment=b""):
    """An MPEG-4 packet without a picture, as XviD writes it to repeat the previous one.

    ISO/IEC 14496-2 §6.2.5: start code; type P (01); no second has passed (0); marker; the tick in
    5 bits (25 a second); marker; vop_coded 0; stuffing to a whole byte. A comment may precede it.
    """
    bits = f"0101{tick % RATE:05b}1001111"
    return (USER_DATA + comment if comment else b"") + PICTURE + int(bits, 2).to_bytes(2, "big")


def picture_type(packet):
    """Type of the first picture in an MPEG-4 packet: I, P or B."""
    return "IPB"[packet[packet.index(PICTURE) + len(PICTURE)] >> 6]


def pack_b_frames(packets):
    """Packed bitstream as of XviD and DivX: a picture shares a packet with the B picture after it.

    A packet without a picture at the end of a run of B pictures keeps their number.
    """
    types = [*map(picture_type, packets), "end"]
    start = packets[0].index(PICTURE)
    # The comment by which decoders recognise such packets.
    packed = [packets[0][:start] + USER_DATA + b"DivX503b1393p" + packets[0][start:]]
    for place in range(1, len(packets)):
        if types[place - 1] != "B" == types[place]:
            packed[-1] += packets[place]
        else:
            packed.append(packets[place])
        if types[place] == "B" != types[place + 1]:
            packed.append(not_coded(len(packed)))
    return packed


def set_announced(path, count):
    """Change the number of frames in an AVI file's two headers."""
    body = bytearray(path.read_bytes())
    for name, offset in ((b"avih", 24), (b"strh", 40)):
        start = body.index(name) + offset
        body[start : start + 4] = count.to_bytes(4, "little")
    path.write_bytes(body)
    return path


def cut(path, share):
    """Keep the first part of a file."""
    body = path.read_bytes()
    path.write_bytes(body[: int(len(body) * share)])
    return path
