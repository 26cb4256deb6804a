"""MessagePack, as far as docs/codecs.md has it: what `msgpack()` reads and what it must refuse."""

from __future__ import annotations

import struct
from typing import Any

TIMESTAMP = -1


class Malformed(Exception):
    """Not one whole value, or one that must not come."""


def loads(data: bytes, max_depth: int = 100, max_elements: int = 1_000_000) -> Any:
    reader = Reader(data, max_depth, max_elements)
    value = reader.value(1)
    if reader.at != len(data):
        raise Malformed("bytes behind the value")
    return value


class Reader:
    def __init__(self, data: bytes, max_depth: int, max_elements: int) -> None:
        self.data = data
        self.at = 0
        self.max_depth = max_depth
        self.left = max_elements

    def take(self, count: int) -> bytes:
        if self.at + count > len(self.data):
            raise Malformed("the frame ends within a value")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, form: str) -> Any:
        return struct.unpack(">" + form, self.take(struct.calcsize(form)))[0]

    def value(self, depth: int) -> Any:
        self.left -= 1
        if self.left < 0:
            raise Malformed("too many elements")
        token = self.number("B")
        if token < 0x80:
            return token
        if token >= 0xE0:
            return token - 0x100
        if token < 0x90:
            return self.map(token & 0x0F, depth)
        if token < 0xA0:
            return self.array(token & 0x0F, depth)
        if token < 0xC0:
            return self.text(token & 0x1F)
        if token in (0xC0, 0xC2, 0xC3):
            return {0xC0: None, 0xC2: False, 0xC3: True}[token]
        numbers = "fdBHIQbhiq"
        if 0xCA <= token <= 0xD3:
            return self.number(numbers[token - 0xCA])
        sizes = {0xC4: "B", 0xC5: "H", 0xC6: "I", 0xD9: "B", 0xDA: "H", 0xDB: "I"}
        if token in sizes:
            size = self.number(sizes[token])
            return self.take(size) if token < 0xD0 else self.text(size)
        if token in (0xDC, 0xDD):
            return self.array(self.number("HI"[token - 0xDC]), depth)
        if token in (0xDE, 0xDF):
            return self.map(self.number("HI"[token - 0xDE]), depth)
        raise Malformed(f"a value of type {token:#x}")

    def text(self, size: int) -> str:
        try:
            return self.take(size).decode("utf-8", "strict")
        except UnicodeDecodeError:
            raise Malformed("a string that is no UTF-8") from None

    def array(self, count: int, depth: int) -> list[Any]:
        self.enter(depth)
        return [self.value(depth + 1) for _ in range(count)]

    def map(self, count: int, depth: int) -> dict[Any, Any]:
        self.enter(depth)
        return {self.value(depth + 1): self.value(depth + 1) for _ in range(count)}

    def enter(self, depth: int) -> None:
        if depth > self.max_depth:
            raise Malformed("nested too deeply")


def dumps(value: Any) -> bytes:
    """In the fewest bytes."""
    if value is None or value is False or value is True:
        return {None: b"\xc0", False: b"\xc2", True: b"\xc3"}[value]
    if isinstance(value, int):
        return integer(value)
    if isinstance(value, float):
        return struct.pack(">Bd", 0xCB, value)
    if isinstance(value, bytes):
        return sized(len(value), None, (0xC4, 0xC5, 0xC6)) + value
    if isinstance(value, str):
        text = value.encode()
        return sized(len(text), (0xA0, 32), (0xD9, 0xDA, 0xDB)) + text
    if isinstance(value, list):
        return sized(len(value), (0x90, 16), (None, 0xDC, 0xDD)) + b"".join(map(dumps, value))
    members = b"".join(dumps(key) + dumps(item) for key, item in value.items())
    return sized(len(value), (0x80, 16), (None, 0xDE, 0xDF)) + members


def integer(value: int) -> bytes:
    if -32 <= value < 128:
        return struct.pack("b" if value < 0 else "B", value)
    forms = ((0xCC, "B"), (0xCD, "H"), (0xCE, "I"), (0xCF, "Q"))
    if value < 0:
        forms = ((0xD0, "b"), (0xD1, "h"), (0xD2, "i"), (0xD3, "q"))
    for token, form in forms:
        try:
            return struct.pack(">B" + form, token, value)
        except struct.error:
            continue
    raise Malformed("more than 64 bits")


def sized(count: int, small: tuple[int, int] | None, tokens: tuple[int | None, int, int]) -> bytes:
    if small is not None and count < small[1]:
        return bytes([small[0] | count])
    for token, form, limit in zip(tokens, "BHI", (1 << 8, 1 << 16, 1 << 32)):
        if token is not None and count < limit:
            return struct.pack(">B" + form, token, count)
    raise Malformed("too long")
