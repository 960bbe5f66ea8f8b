"""Driver for kcat: each command is one run of the program."""

import json
import re
import subprocess
import sys
from itertools import groupby

from driver import NotAvailable, Record, Sink, records_of, serve

KEY_END = "\x01\x02"
RECORD_END = "\x03\x04"


class Kcat:
    def __init__(self, address):
        self.base = ["kcat", "-b", address, "-X", "client.id=kcat"]

    def hello(self, _):
        about = subprocess.run(["kcat", "-V"], capture_output=True, text=True).stdout
        version, librdkafka = re.search(r"Version ([\d.]+).*librdkafka ([\d.]+)", about).groups()
        return {"version": f"{version} (librdkafka {librdkafka})", "codecs": ["none", "gzip", "snappy", "lz4", "zstd"]}

    def create_topic(self, _):
        raise NotAvailable("kcat creates a topic by writing to it")

    def describe_topic(self, c):
        [topic] = json.loads(self.run(["-L", "-J", "-t", c["topic"]]))["topics"]
        if "error" in topic:
            raise RuntimeError(topic["error"])
        return {
            "partitions": [
                {
                    "id": p["partition"],
                    "leader": p["leader"],
                    "replicas": [node["id"] for node in p["replicas"]],
                    "isr": [node["id"] for node in p["isrs"]],
                }
                for p in topic["partitions"]
            ]
        }

    def offsets(self, c):
        return {"earliest": self.query(c, -2), "latest": self.query(c, -1)}

    def offset_for_time(self, c):
        return {"offset": self.query(c, c["timestamp"])}

    def query(self, c, timestamp):
        answer = self.run(["-Q", "-t", f"{c['topic']}:{c['partition']}:{timestamp}"])
        return int(re.search(rb"offset (-?\d+)", answer)[1])

    def produce(self, c):
        if "producer" in c:
            raise NotAvailable("kcat reads its input in blocks, so that no run of it stays open between writes")
        options = ["-P", "-t", c["topic"], "-p", str(c["partition"]), "-z", c.get("codec", "none")]
        acks = c.get("acks", "all")
        options += ["-X", f"acks={-1 if acks == 'all' else acks}", "-X", "message.max.bytes=2000000"]
        options += ["-X", f"enable.idempotence={str(c.get('idempotent', False)).lower()}"]
        if "file" in c:
            self.run([*options, "-l", c["file"]])
            return {"offsets": None, "count": None}
        count = 0
        for (keyed, empty_is_null, headers), group in groupby(records_of(c), shape):
            group = list(group)
            count += len(group)
            flags = ["-D", RECORD_END] + (["-K", KEY_END] if keyed else []) + (["-Z"] if empty_is_null else [])
            for name, value in headers:
                flags += ["-H", name if value is None else f"{name}={value.decode()}"]
            text = b"".join(
                (r.key + KEY_END.encode() if keyed else b"") + (r.value or b"") + RECORD_END.encode() for r in group
            )
            self.run(options + flags, text)
        return {"offsets": None, "count": count}

    def consume(self, c):
        start = c["from"]
        offset = f"s@{start['timestamp']}" if isinstance(start, dict) else {"earliest": "beginning"}.get(start, start)
        options = ["-C", "-q", "-t", c["topic"], "-p", str(c["partition"]), "-o", str(offset), "-c", str(c["count"])]
        options += ["-X", f"isolation.level={c.get('isolation', 'read_committed')}"]
        if "file" in c:
            with open(c["file"], "wb") as out:
                subprocess.run(self.base + options + ["-f", "%s\n"], stdout=out, check=True, timeout=c.get("timeout", 60))
            return {"count": c["count"]}
        process = subprocess.Popen(self.base + options + ["-f", FORMAT], stdout=subprocess.PIPE)
        return self.taken(process, c)

    def begin(self, _):
        raise NotAvailable("kcat knows no transactions but those of a whole run")

    def tail(self, c):
        options = ["-C", "-t", c["topic"], "-p", str(c["partition"]), "-o", "end", "-c", str(len(c["records"]))]
        process = subprocess.Popen(
            self.base + options + ["-f", FORMAT], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for line in process.stderr:
            if b"Reached end" in line:
                break
        self.produce(c)
        return self.taken(process, {"count": len(c["records"])})

    def subscribe(self, c):
        options = ["-q", "-X", "auto.offset.reset=earliest", "-c", str(c["count"]), "-f", FORMAT, "-G", c["group"], c["topic"]]
        return self.taken(subprocess.Popen(self.base + options, stdout=subprocess.PIPE), c)

    def taken(self, process, c):
        sink = Sink(c)
        try:
            for line in process.stdout:
                offset, timestamp, key_size, value_size, headers = line[:-1].split(b" ", 4)
                key, value = (
                    None if size == b"-1" else process.stdout.read(int(size)) for size in (key_size, value_size)
                )
                process.stdout.readline()
                sink.take(Record(key, value, parsed(headers.decode()), int(timestamp), int(offset)))
            if process.wait(10) != 0:
                raise RuntimeError(f"kcat ended with {process.returncode}")
        finally:
            process.kill()
        return sink.answer()

    def run(self, options, text=None):
        done = subprocess.run(self.base + options, input=text, capture_output=True, timeout=120)
        if done.returncode != 0 or b"Delivery failed" in done.stderr:
            raise RuntimeError(f"kcat ended with {done.returncode}: {done.stderr.decode().strip()}")
        return done.stdout


FORMAT = "%o %T %K %S %h\n%k%s\n"


def shape(r):
    """What one run of kcat has in common for all records: keys or none, whether empty means null, and the headers."""
    if r.timestamp is not None:
        raise NotAvailable("kcat sets no timestamps")
    if r.key is None and r.value == b"":
        raise NotAvailable("kcat drops an empty value without a key")
    if r.key == b"" and r.value is None:
        raise NotAvailable("kcat cannot send an empty key beside a null value")
    for _, value in r.headers:
        if value is not None and not value.isascii():
            raise NotAvailable("kcat takes headers as text from its command line")
    return r.key is not None, r.value is None, tuple(r.headers)


def parsed(text):
    """kcat's `name=value,name=value`, with NULL for a null value."""
    pairs = (item.split("=", 1) for item in text.split(",") if item)
    return [(name, None if value == "NULL" else value.encode()) for name, value in pairs]


if __name__ == "__main__":
    serve(Kcat(sys.argv[1]))
