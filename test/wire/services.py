"""What the service under test answers, written from its description in test/interop/wire.spec.ts: bytes of replies, in order.

A `late` request waits for `release`; everything else is answered at once.
"""

from __future__ import annotations

import json
from typing import Any, Callable, Iterator, Optional

import message_pack

MISSING = "There is no matching message handler defined in the remote service."


def called(pattern: str, data: Any) -> tuple[list[Any], Optional[str]]:
    """The values that a handler answers with, or its error."""
    if pattern == "add":
        return [sum(int(value) for value in data)], None
    if pattern == "echo":
        return [data], None
    if pattern == "stream":
        return [1, 2], None
    if pattern == "release":
        return ["released"], None
    if pattern == "fail":
        return [], "not today"
    return [], MISSING


Service = Callable[[bytes, "list[bytes]"], Iterator[bytes]]
"""The replies to a frame. What waits is kept in the list."""


class Broken(Exception):
    """No packet."""


Load = Callable[[bytes], Any]
Dump = Callable[[Any], bytes]


def nest(frame: bytes, held: list[bytes], load: Load, dump: Dump) -> Iterator[bytes]:
    """Nest's packets, in whatever notation."""

    def text(**members: Any) -> bytes:
        return dump(members)

    try:
        packet = load(frame)
    except (ValueError, message_pack.Malformed):
        raise Broken from None
    if not isinstance(packet, dict) or "id" not in packet:
        return
    pattern, number = packet["pattern"], packet["id"]
    if pattern == "late":
        held.append(text(response="late", isDisposed=True, id=number))
        return
    values, error = called(pattern, packet.get("data"))
    if error == MISSING:
        yield text(id=number, status="error", err=error)
    elif error is not None:
        yield text(err={"status": "error", "message": error}, isDisposed=True, id=number)
    for value in values[:-1]:
        yield text(response=value, id=number)
    for value in values[-1:]:
        yield text(response=value, isDisposed=True, id=number)
    if pattern == "release":
        yield from held
        held.clear()


def go_away(kind: str) -> bytes:
    """What a peer is told whose first bytes are the other format's."""
    packet = {"pattern": "gev:goaway", "data": {}}
    return message_pack.dumps(packet) if kind == "msgpack" else compact(packet)


def compact(packet: Any) -> bytes:
    return json.dumps(packet, separators=(",", ":"), ensure_ascii=False).encode()


def nest_json(frame: bytes, held: list[bytes]) -> Iterator[bytes]:
    return nest(frame, held, json.loads, compact)


def nest_message_pack(options: dict) -> Service:
    limits = (options.get("maxDepth", 100), options.get("maxElements", 1_000_000))
    return lambda frame, held: nest(
        frame, held, lambda data: message_pack.loads(data, *limits), message_pack.dumps
    )


def words(frame: bytes, held: list[bytes]) -> Iterator[bytes]:
    """`<pattern> <word>…` is answered `OK <value>` or `ERR <message>`; `ping` is no packet; `bad` is refused."""
    text = frame.decode()
    if text == "ping":
        yield frame
        return
    if text == "bad":
        raise Broken
    pattern, *data = text.split(" ")
    if pattern == "position":
        return
    values, error = called(pattern, data)
    if error is not None:
        yield b"ERR " + error.encode()
    for value in values:
        said = ",".join(value) if isinstance(value, list) else str(value)
        yield b"OK " + said.encode()


RECORDS = {1: "echo", 2: "position", 3: "late", 4: "release", 5: "nobody"}


def records(frame: bytes, held: list[bytes]) -> Iterator[bytes]:
    """A kind of one byte, a number of two, and text; an answer has the kind with its high bit, an error the kind 255."""
    if len(frame) < 3:
        raise Broken
    kind, number, text = frame[0], frame[1:3], frame[3:].decode()
    pattern = RECORDS.get(kind)
    if pattern is None:
        yield frame
        return
    if pattern == "position":
        return
    if pattern == "late":
        held.append(bytes([0x80 | kind]) + number + b"late")
        return
    values, error = called(pattern, text)
    if error is not None:
        yield b"\xff" + number + error.encode()
    for value in values:
        yield bytes([0x80 | kind]) + number + str(value).encode()
    if pattern == "release":
        yield from held
        held.clear()


def echo(frame: bytes, held: list[bytes]) -> Iterator[bytes]:
    yield frame


def service_of(codec: dict) -> Service:
    if codec["codec"] == "nest-json":
        return nest_json
    if codec["codec"] == "msgpack":
        return nest_message_pack(codec.get("options", {}))
    if codec["codec"] == "packets":
        return {"words": words, "records": records}[codec["options"]["format"]]
    return echo
