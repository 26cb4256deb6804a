#!/usr/bin/env python3
"""Plays the wire cases of cases/*.json against servers and clients of ours, with the standard library only.

    peer.py < jobs        {"seed": 1, "jobs": [{"codec": {...}, "case": {...}, "port": 1833}, ...]}

A job with a port is played by a client of it; one without, by a server on a port of its own. The first line printed has the
ports of all jobs, and in how many runs each is played. Then comes a line for each run,
`{"job": 0, "run": 0, "port": ..., "ends": ..., "error": null}`, where `port` is that of the peer's end. Jobs are played side
by side, the runs of each one after another, cut in other places; the first that goes wrong is the last of its job.

Before that, each case is held against framings.py and services.py: what its bytes mean, and what must come back.
"""

from __future__ import annotations

import json
import random
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any, Iterator

import message_pack
from framings import bytes_of, framing_of
from services import Broken, go_away, service_of

RUNS = 7
"""How often a case is played that has no silence."""
WORKERS = 32
"""Jobs that are played at a time."""
PATIENCE = 30
"""Seconds that the other side may keep silent."""
GAP = 0.0003
"""Seconds between two pieces: time for them to be read as two."""
CODEC_KEYS = {"codec", "options", "server", "cases"}
CASE_KEYS = {"name", "sends", "frames", "replies", "ends", "silence", "packets", "mismatch"}


class Wrong(Exception):
    """A case, or the other side."""


def same(what: str, found: Any, expected: Any) -> None:
    if found != expected:
        raise Wrong(f"{what}: {show(found)} instead of {show(expected)}")


def show(value: Any) -> str:
    if isinstance(value, bytes):
        return f"{value.hex(' ')} ({value!r})"
    return str([show(item) for item in value] if isinstance(value, list) else value)


class Case:
    """A case, checked: what is sent, what comes back, and how it ends."""

    def __init__(self, codec: dict, case: dict) -> None:
        unknown = (set(codec) - CODEC_KEYS) | (set(case) - CASE_KEYS)
        if unknown:
            raise Wrong(f"unknown keys: {sorted(unknown)}")
        options = codec.get("options", {})
        self.kind = codec["codec"]
        # What handlers get is text of it; None: bytes.
        self.encoding = options.get("encoding", "utf8" if self.kind in ("line", "nest-json") else None)
        self.framing = framing_of(codec, codec.get("server", {}).get("maxFrameLength", 1 << 26))
        self.service = service_of(codec)
        self.pieces = [bytes_of(piece) for piece in case["sends"]]
        self.sent = b"".join(self.pieces)
        self.silence = case.get("silence", False)
        self.mismatch = case.get("mismatch", False)
        self.ends = case.get("ends", "peer")
        self.replies = self.derived(self.sent)
        replies = case["replies"]
        written = self.sent if replies == "same" else b"".join(map(bytes_of, replies))
        same("replies that the case names", self.values(written), self.values(self.replies))
        if self.kind != "packets":  # there only those that are no packets come as frames
            frames = self.messages(self.sent)
            named = list(map(bytes_of, case["frames"]))
            same("frames", frames, [b"".join(named)] if self.kind == "raw" and named else named)
        self.broken_at = self.first_broken()
        same("how it ends", "protocol" if self.broken_at is not None or self.silence else "peer", self.ends)
        if self.silence and (self.broken_at is not None or self.complete(self.sent)):
            raise Wrong("silence is for what stays incomplete")

    def frames(self, stream: bytes) -> list[bytes]:
        """What handlers get; text in UTF-8, whatever it came in."""
        frames = self.framing.decode(stream).frames
        if self.encoding is None:
            return frames
        return [frame.decode(self.encoding, "replace").encode() for frame in frames]

    def messages(self, stream: bytes) -> list[bytes]:
        """The frames that handlers must get: those up to the one that ends the connection."""
        frames = self.frames(stream)
        for index, frame in enumerate(frames):
            try:
                list(self.service(frame, []))
            except Broken:
                return frames[:index]
        return frames

    def values(self, stream: bytes) -> Any:
        """What a stream of replies says, where that can be written in several ways."""
        if self.kind != "msgpack":
            return stream
        frames, broken = self.framing.decode(stream)
        return [message_pack.loads(frame) for frame in frames], broken

    def complete(self, stream: bytes) -> bool:
        """Whether a stream of so many bytes ends with a frame."""
        decoded = self.framing.decode(stream)
        return stream == b"" or len(self.framing.decode(stream[:-1]).frames) < len(decoded.frames)

    def derived(self, stream: bytes) -> bytes:
        """What must come back for it."""
        replies: list[bytes] = []
        held: list[bytes] = []
        try:
            for frame in self.frames(stream):
                replies.extend(self.service(frame, held))
        except Broken:
            pass
        if self.mismatch and self.is_broken(stream):
            replies.append(go_away(self.kind))
        if self.encoding is not None:
            replies = [reply.decode().encode(self.encoding) for reply in replies]
        return b"".join(map(self.framing.encode, replies))

    def is_broken(self, stream: bytes) -> bool:
        try:
            for frame in self.frames(stream):
                list(self.service(frame, []))
        except Broken:
            return True
        return self.framing.decode(stream).broken

    def first_broken(self) -> int | None:
        """How many bytes it takes to break the format."""
        lengths = range(len(self.sent) + 1)
        return next((length for length in lengths if self.is_broken(self.sent[:length])), None)

    def runs(self, chance: random.Random) -> Iterator[tuple[list[bytes], str]]:
        """The pieces of each run, and how it ends. A silence is timed: there all is sent at once, in one run."""
        if self.silence:
            yield [self.sent], self.ends
            return
        yield self.pieces, self.ends
        yield [self.sent], self.ends
        yield [self.sent[at : at + 1] for at in range(len(self.sent))], self.ends
        yield cut(self.sent, chance), self.ends
        yield cut(self.sent, chance), self.ends
        # The byte that breaks the format ends the connection, nothing has to follow; without it all is well.
        at = self.broken_at
        if at is None:
            yield cut(self.sent, chance), self.ends
            yield cut(self.sent, chance), self.ends
        else:
            yield cut(self.sent[:at], chance), "protocol"
            yield cut(self.sent[: at - 1], chance), "peer"


def runs_of(case: dict) -> int:
    return 1 if case.get("silence", False) else RUNS


def cut(stream: bytes, chance: random.Random) -> list[bytes]:
    pieces = []
    while stream:
        size = chance.choice((1, 2, 3, 7, 40, len(stream)))
        pieces.append(stream[:size])
        stream = stream[size:]
    return pieces


def exchange(link: socket.socket, pieces: list[bytes], ends: str) -> bytes:
    """Sends the pieces, and returns all that comes back."""
    link.settimeout(PATIENCE)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for piece in pieces:
        link.sendall(piece)
        time.sleep(GAP)
    if ends == "peer":
        link.shutdown(socket.SHUT_WR)  # else it is the other side that ends it
    came = bytearray()
    while chunk := link.recv(65536):
        came += chunk
    return bytes(came)


class Client:
    """Plays cases to a server of ours: whoever breaks the format is answered what came before it."""

    def __init__(self, port: int) -> None:
        self.port = port

    def play(self, case: Case, pieces: list[bytes], ends: str) -> int:
        """Returns the port that the other side sees."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as link:
            port = link.getsockname()[1]
            came, expected = exchange(link, pieces, ends), case.derived(b"".join(pieces))
            same("what came back", case.values(came), case.values(expected))
            return port


class Server:
    """Plays cases to whom dials it: who breaks the format is cut off there, whatever he was sent before."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(PATIENCE)
        self.port: int = self.listener.getsockname()[1]

    def play(self, case: Case, pieces: list[bytes], ends: str) -> int:
        expected = case.derived(b"".join(pieces))
        with self.listener.accept()[0] as link:
            if ends == "peer" or case.silence:
                same("what came back", exchange(link, pieces, ends), expected)
                return self.port
            try:
                came = exchange(link, pieces, ends)
            except (BrokenPipeError, ConnectionResetError):
                return self.port
            same("the beginning of what came back", came, expected[: len(came)])
            return self.port


def main() -> None:
    given = json.load(sys.stdin)
    jobs = given["jobs"]
    peers = [Client(job["port"]) if "port" in job else Server() for job in jobs]
    report({"ports": [peer.port for peer in peers], "runs": [runs_of(job["case"]) for job in jobs]})

    def work(index: int) -> None:
        job, peer = jobs[index], peers[index]
        told = {"job": index, "run": None, "port": None, "ends": None, "error": None}
        try:
            case = Case(job["codec"], job["case"])
            for run, (pieces, ends) in enumerate(case.runs(random.Random(f"{given['seed']} {index}"))):
                told = {**told, "run": run, "ends": ends, "error": f"sent as {[piece.hex() for piece in pieces]}"}
                told["port"] = peer.play(case, pieces, ends)
                report({**told, "error": None})
        except Exception as error:  # whatever it is, it is of this job
            report({**told, "error": f"{error!r}, {told['error'] or 'by the case itself'}"})

    with ThreadPoolExecutor(WORKERS) as workers:
        list(workers.map(work, range(len(jobs))))


LOCK = Lock()


def report(line: dict) -> None:
    with LOCK:
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
