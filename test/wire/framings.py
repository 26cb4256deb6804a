"""The framings of docs/codecs.md, written from that text and from nothing else: a second opinion on every byte.

Nothing here is incremental or fast. `decode` looks at a whole stream; what a prefix of it means is asked with that prefix.
"""

from __future__ import annotations

from typing import NamedTuple, Optional


class Decoded(NamedTuple):
    frames: list[bytes]
    """What handlers get, in order."""
    broken: bool
    """What follows the frames can be no frame, whatever comes."""


class Short(Exception):
    """The frame goes on behind the end of the stream."""


class Broken(Exception):
    """No frame, whatever comes."""


class Framing:
    """Cuts a stream into frames. A subclass tells how one frame is taken, and how one is written."""

    def decode(self, stream: bytes) -> Decoded:
        frames: list[bytes] = []
        at = 0
        while at < len(stream):
            try:
                frame, at = self.take(stream, at)
            except Short:
                break
            except Broken:
                return Decoded(frames, True)
            frames.append(frame)
        return Decoded(frames, False)

    def take(self, stream: bytes, at: int) -> tuple[bytes, int]:
        """The frame that begins at `at`, and where it ends."""
        raise NotImplementedError

    def encode(self, frame: bytes) -> bytes:
        """What is sent for a frame that a handler returns."""
        raise NotImplementedError


class Raw(Framing):
    """No frames: all that is there is one."""

    def take(self, stream: bytes, at: int) -> tuple[bytes, int]:
        return stream[at:], len(stream)

    def encode(self, frame: bytes) -> bytes:
        return frame


class Delimited(Framing):
    def __init__(self, delimiter: bytes, strips_cr: bool, max_length: int) -> None:
        self.delimiter = delimiter
        self.strips_cr = strips_cr
        self.max_length = max_length

    def take(self, stream: bytes, at: int) -> tuple[bytes, int]:
        end = stream.find(self.delimiter, at)
        if end < 0:
            # All but one byte of the end, and a carriage return, may be there.
            if len(stream) - at > self.max_length + len(self.delimiter) - 1 + self.strips_cr:
                raise Broken
            raise Short
        frame = stream[at:end]
        if self.strips_cr and frame.endswith(b"\r"):
            frame = frame[:-1]
        if len(frame) > self.max_length:
            raise Broken
        return frame, end + len(self.delimiter)

    def encode(self, frame: bytes) -> bytes:
        return frame + self.delimiter


class LengthField(Framing):
    def __init__(
        self,
        max_length: int,
        length: int | str = 4,
        endian: str = "big",
        offset: int = 0,
        adjustment: int = 0,
        includesHeader: bool = False,  # noqa: N803, named as the option
        strip: int | str = "header",
        prefix: Optional[bytes] = None,
    ) -> None:
        self.max_length = max_length
        self.length = length
        self.endian = endian
        self.offset = offset
        self.adjustment = adjustment
        self.includes_header = includesHeader
        self.strip = strip
        self.prefix = prefix

    def take(self, stream: bytes, at: int) -> tuple[bytes, int]:
        value, header = self.field(stream[at:])
        size = value + self.adjustment + (0 if self.includes_header else header)
        strip = header if self.strip == "header" else int(self.strip)
        if size < header or size < strip or size - strip > self.max_length:
            raise Broken
        if len(stream) - at < size:
            raise Short
        return stream[at + strip : at + size], at + size

    def field(self, frame: bytes) -> tuple[int, int]:
        """What the field says, and where it ends."""
        at = self.offset
        if isinstance(self.length, int):
            if len(frame) < at + self.length:
                raise Short
            return number(frame[at : at + self.length], self.endian), at + self.length
        value = 0
        for index in range(5):
            if len(frame) == at + index or len(frame) < at:
                raise Short
            byte = frame[at + index]
            value |= (byte & 0x7F) << (7 * index)
            if byte < 0x80:
                if byte == 0 and index > 0:
                    raise Broken
                return value, at + index + 1
        raise Broken

    def encode(self, frame: bytes) -> bytes:
        if self.prefix is not None:
            return self.prefix + self.written(len(frame)) + frame
        if self.strip == 0:
            width = int(self.length)
            end = self.offset + width
            value = len(frame) - self.adjustment - (0 if self.includes_header else end)
            return frame[: self.offset] + self.written(value) + frame[end:]
        value = len(frame) - self.adjustment
        if self.includes_header:
            value += int(self.length)
        return self.written(value) + frame

    def written(self, value: int) -> bytes:
        if isinstance(self.length, int):
            return value.to_bytes(self.length, self.endian)  # type: ignore[arg-type]
        out = bytearray()
        while value >= 0x80:
            out.append(value & 0x7F | 0x80)
            value >>= 7
        return bytes([*out, value])


def number(field: bytes, endian: str) -> int:
    value = 0
    for byte in field if endian == "big" else reversed(field):
        value = value * 256 + byte
    return value


class NestTcp(Framing):
    """`<length>#<text>`, whose length counts UTF-16 code units."""

    def __init__(self, max_length: int) -> None:
        self.max_length = max_length

    def take(self, stream: bytes, at: int) -> tuple[bytes, int]:
        start = at
        while at < len(stream) and stream[at] in b" \r\n\t":
            at += 1
            if at - start > 16:
                raise Broken
        digits = at
        while at < len(stream) and stream[at] in b"0123456789":
            at += 1
            if at - digits > 10:
                raise Broken
        if at == len(stream):
            raise Short
        if at == digits or stream[at] != 0x23:
            raise Broken
        units = int(stream[digits:at])
        if units > self.max_length:
            raise Broken
        at += 1
        begin = at
        while units > 0:
            size, counts = character(stream, at)
            at += size
            units -= counts
            if units < 0 or at - begin > self.max_length:
                raise Broken
        return stream[begin:at], at

    def encode(self, frame: bytes) -> bytes:
        units = len(frame.decode().encode("utf-16-le")) // 2
        return b"%d#%s" % (units, frame)


def character(stream: bytes, at: int) -> tuple[int, int]:
    """Bytes and UTF-16 code units of the character at `at`, or of what a decoder replaces by U+FFFD."""
    if at == len(stream):
        raise Short
    for size in range(1, 5):
        part = stream[at : at + size]
        try:
            text = part.decode("utf-8")
        except UnicodeDecodeError as error:
            if error.reason == "unexpected end of data":
                if len(part) < size:
                    raise Short from None
                continue  # so far it may be one
            return max(1, error.end - error.start), 1
        return size, 2 if ord(text) > 0xFFFF else 1
    raise AssertionError("UTF-8 has no character of five bytes")


class Summed(Framing):
    """A length of one byte, at most 200, so many bytes, and their sum: what the servers under test have by `custom()`."""

    def take(self, stream: bytes, at: int) -> tuple[bytes, int]:
        length = stream[at]
        if length > 200:
            raise Broken
        end = at + 1 + length
        if len(stream) <= end:
            raise Short
        if stream[end] != sum(stream[at + 1 : end]) % 256:
            raise Broken
        return stream[at + 1 : end], end + 1

    def encode(self, frame: bytes) -> bytes:
        return bytes([len(frame), *frame, sum(frame) % 256])


def framing_of(codec: dict, max_frame_length: int) -> Framing:
    """Of a codec as the cases name it; fails on what it does not know."""
    kind, options = codec["codec"], dict(codec.get("options", {}))
    options.pop("encoding", None)
    max_length = options.pop("maxLength", max_frame_length)
    if kind == "length-field":
        prefix = bytes.fromhex(options.pop("prefix")) if "prefix" in options else None
        return LengthField(max_length, prefix=prefix, **options)
    if kind in ("line", "delimited"):
        delimiter = bytes_of(options.pop("delimiter", "text:\n"))
        made: Framing = Delimited(delimiter, kind == "line" and delimiter == b"\n", max_length)
    else:
        made = {
            "raw": Raw,
            "msgpack": lambda: LengthField(max_length),
            "summed": Summed,
            "nest-json": lambda: NestTcp(max_length),
            "packets": lambda: framing_of(options.pop("over"), max_frame_length),
        }[kind]()
        for name in ("format", "maxDepth", "maxElements"):  # of what frames mean
            options.pop(name, None)
    if options:
        raise ValueError(f"options that {kind} does not have: {options}")
    return made


def bytes_of(text: str) -> bytes:
    """Cases write bytes in hexadecimal, spaces allowed, or as text of UTF-8 behind `text:`."""
    return text[5:].encode() if text.startswith("text:") else bytes.fromhex(text)
