#!/usr/bin/env python3
"""The service of services.py for one client of ours, whose every byte is looked at.

    service.py '{"codec": "nest-json"}'

Prints `{"port": ...}`, and when the client has left `{"received": [...]}`: the packets that it sent, bytes as `{"$bytes": ...}`.
Replies come a few bytes at a time.
"""

from __future__ import annotations

import json
import random
import socket
import sys
import time
from typing import Any

import message_pack
from framings import framing_of
from services import service_of

PATIENCE = 30


def main() -> None:
    codec = json.loads(sys.argv[1])
    framing, service = framing_of(codec, 1 << 26), service_of(codec)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(PATIENCE)
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
    link, _ = listener.accept()
    link.settimeout(PATIENCE)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stream = b""
    answered = 0
    held: list[bytes] = []
    while chunk := link.recv(65536):
        stream += chunk
        frames, broken = framing.decode(stream)
        if broken:
            raise SystemExit(f"no frame: {stream[-200:]!r}")
        for frame in frames[answered:]:
            for reply in service(frame, held):
                trickle(link, framing.encode(reply))
        answered = len(frames)
    if b"".join(map(framing.encode, framing.decode(stream).frames)) != stream:
        raise SystemExit(f"frames are not written as they should be: {stream!r}")
    load = message_pack.loads if codec["codec"] == "msgpack" else json.loads
    received = [shown(load(frame)) for frame in framing.decode(stream).frames]
    print(json.dumps({"received": received}), flush=True)


def trickle(link: socket.socket, reply: bytes) -> None:
    while reply:
        size = random.choice((1, 3, 8, len(reply)))
        link.sendall(reply[:size])
        reply = reply[size:]
        time.sleep(0.0003)


def shown(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"$bytes": value.hex()}
    if isinstance(value, dict):
        return {key: shown(item) for key, item in value.items()}
    return [shown(item) for item in value] if isinstance(value, list) else value


if __name__ == "__main__":
    main()
