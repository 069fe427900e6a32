"""HDR histograms of an interval log (V2, compressed), as pairs (upper value, count)."""

import base64
import struct
import zlib

PACKED, PLAIN = 0x1C849304, 0x1C849303
COOKIE = 0xFFFFFF0F


def read(path):
    """All intervals of a log together, by tag: a list of (microseconds, count), rising."""
    totals = {}
    for line in path.read_text().splitlines():
        if not line or line.startswith("#") or line.startswith('"'):
            continue
        cells = line.split(",")
        tag = cells.pop(0).removeprefix("Tag=") if line.startswith("Tag=") else ""
        total = totals.setdefault(tag, {})
        for value, count in decoded(base64.b64decode(cells[-1])):
            total[value] = total.get(value, 0) + count
    return {tag: sorted(total.items()) for tag, total in totals.items()}


def decoded(packed):
    """The counts of one histogram, each with the greatest value that it stands for."""
    cookie, length = struct.unpack(">Ii", packed[:8])
    if cookie & COOKIE != PACKED & COOKIE:
        raise ValueError(f"no compressed histogram of the second form: {cookie:#x}")
    data = zlib.decompress(packed[8 : 8 + length])
    cookie, length, _, digits, lowest, _, _ = struct.unpack(">IiiiQQd", data[:40])
    if cookie & COOKIE != PLAIN & COOKIE:
        raise ValueError(f"no histogram of the second form: {cookie:#x}")
    unit = max(lowest, 1).bit_length() - 1
    half = (2 * 10**digits - 1).bit_length() - 1
    index, at, end = 0, 40, 40 + length
    while at < end:
        count, at = varint(data, at)
        if count < 0:
            index += -count
            continue
        if 0 < count:
            yield upper(index, half, unit), count
        index += 1


def varint(data, at):
    """A ZigZag number of base 128, lowest bits first, and where the next begins; the ninth byte
    has eight bits."""
    bits, shift = 0, 0
    while True:
        byte = data[at]
        at += 1
        last = shift == 56
        bits |= (byte if last else byte & 0x7F) << shift
        if last or byte < 0x80:
            return (bits >> 1) ^ -(bits & 1), at
        shift += 7


def upper(index, half, unit):
    """The greatest value that falls in a place: the first bucket has 2^(half + 1) of them, and each
    further one the upper half as many, twice as wide."""
    bucket, sub = (index >> half) - 1, (index & ((1 << half) - 1)) + (1 << half)
    if bucket < 0:
        bucket, sub = 0, sub - (1 << half)
    return ((sub + 1) << (bucket + unit)) - 1
