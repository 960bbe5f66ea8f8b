"""What the Python drivers share: the loop over commands, records as they stand in commands, and digests.

A driver is one process around one client. It is started with the broker's address, reads a command per line
(`{"op": "produce", ...}`) from stdin and writes an answer per line: `{"ok": {...}}`, `{"na": why}` when the client
lacks the feature, or `{"error": text}`. tests/clients/README.md lists the commands.
"""

import base64
import hashlib
import json
import sys
import traceback
from dataclasses import dataclass, field


class NotAvailable(Exception):
    """The client has no such feature; the text says what is missing."""


@dataclass
class Record:
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]] = field(default_factory=list)
    timestamp: int | None = None
    offset: int | None = None


def records_of(command):
    """The records that a produce command names: listed, generated, or the lines of a file."""
    if "records" in command:
        for r in command["records"]:
            headers = [(name, unpack(value)) for name, value in r.get("headers", [])]
            yield Record(unpack(r["key"]), unpack(r["value"]), headers, r.get("timestamp"))
    elif "generate" in command:
        g = command["generate"]
        for i in range(g["count"]):
            unit = f"{g['seed']}:{i}:".encode()
            yield Record(b"%d" % i, (unit * (g["size"] // len(unit) + 1))[: g["size"]])
    else:
        with open(command["file"], "rb") as lines:
            for line in lines:
                yield Record(None, line[:-1])


class Sink:
    """Takes consumed records and answers in the form that the consume command asks for."""

    def __init__(self, command):
        self.wanted = command["count"]
        self.taken = 0
        self.last = None
        self.listed = []
        self.sha256 = hashlib.sha256() if command.get("digest") else None
        self.file = open(command["file"], "wb") if "file" in command else None

    def full(self):
        return self.taken >= self.wanted

    def take(self, r: Record):
        if self.full():
            return
        self.taken += 1
        self.last = r.offset
        if self.file:
            self.file.write(r.value + b"\n")
        elif self.sha256:
            sizes = [-1 if part is None else len(part) for part in (r.key, r.value)]
            self.sha256.update(b"%d,%d,%d\n" % (r.offset, *sizes) + (r.key or b"") + (r.value or b""))
        else:
            self.listed.append(r)

    def answer(self):
        if self.file:
            self.file.close()
            return {"count": self.taken}
        if self.sha256:
            return {"count": self.taken, "sha256": self.sha256.hexdigest()}
        return {"records": [pack(r) for r in self.listed]}


def pack(r: Record):
    return {
        "offset": r.offset,
        "timestamp": r.timestamp,
        "key": pack_bytes(r.key),
        "value": pack_bytes(r.value),
        "headers": [[name, pack_bytes(value)] for name, value in r.headers],
    }


def pack_bytes(raw):
    return None if raw is None else base64.b64encode(raw).decode()


def unpack(text):
    return None if text is None else base64.b64decode(text)


def serve(client):
    """Answers commands by the client's methods of the same names until stdin ends."""
    for line in sys.stdin:
        command = json.loads(line)
        try:
            operation = getattr(client, command["op"], None)
            if operation is None:
                raise NotAvailable(f"no {command['op']} in this client")
            answer = {"ok": operation(command)}
        except NotAvailable as missing:
            answer = {"na": str(missing)}
        except Exception as e:  # every failure of the client is an answer; the runner judges it
            traceback.print_exc()
            answer = {"error": f"{type(e).__name__}: {e}"}
        print(json.dumps(answer), flush=True)
