#!/usr/bin/env python3
"""Sends a real corpus in through one client and out through another, with each codec, and compares the bytes.

    corpus.py --broker target/release/milena       (or --reference for Apache Kafka)

The corpus is the non-empty lines of texts from Debian packages, fetched once by `apt-get download` into
.clients/corpus: packages in a fixed order, files in the order of their names, 200 MB and a little. At the end the
broker is stopped and Kafka's DumpLogSegments checks every segment and index that came of it.
"""

import argparse
import contextlib
import gzip
import hashlib
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import brokers
import drivers

CORPUS_BYTES = 210_000_000
LINE_BYTES_MAX = 500_000
PACKAGES = ["wamerican-insane", "wngerman", "perl-doc", "unicode-data", "postgresql-doc-15", "openjdk-17-doc"]
# codec: (who writes, who reads)
PASSES = {
    "none": ("kcat", "franz-go"),
    "gzip": ("confluent-kafka", "java"),
    "snappy": ("java", "kcat"),
    "lz4": ("franz-go", "confluent-kafka"),
    "zstd": ("confluent-kafka", "franz-go"),
}


def corpus():
    """The corpus' file, made on first use."""
    folder = drivers.INSTALLED / "corpus"
    made = folder / "lines"
    if not made.exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", "-qq", *PACKAGES], cwd=folder, check=True)
        with open(folder / "partial", "wb") as out:
            for package in PACKAGES:
                [archive] = folder.glob(f"{package}_*.deb")
                with tempfile.TemporaryDirectory() as unpacked:
                    subprocess.run(["dpkg-deb", "-x", archive, unpacked], check=True)
                    write_lines(pathlib.Path(unpacked), out)
        if (folder / "partial").stat().st_size < CORPUS_BYTES:
            raise RuntimeError(f"the packages hold less than {CORPUS_BYTES} bytes of lines")
        (folder / "partial").rename(made)
    return made


def write_lines(folder, out):
    for file in sorted(f for f in folder.rglob("*") if f.is_file() and not f.is_symlink()):
        text = file.read_bytes()
        if file.suffix == ".gz":
            text = gzip.decompress(text)
        if b"\0" in text:
            continue
        for line in text.split(b"\n"):
            if line and len(line) <= LINE_BYTES_MAX and out.tell() < CORPUS_BYTES:
                out.write(line + b"\n")


def sha256_and_lines(file):
    sha256, lines = hashlib.sha256(), 0
    with open(file, "rb") as f:
        while block := f.read(1 << 20):
            sha256.update(block)
            lines += block.count(b"\n")
    return sha256.hexdigest(), lines


def send_through(codec, broker, directory, log, source):
    """One pass; answers the seconds of writing and of reading."""
    wanted, lines = sha256_and_lines(source)
    writer, reader = (drivers.Driver(name, broker.address, log) for name in PASSES[codec])
    out = pathlib.Path(directory, "out")
    where = {"topic": f"corpus-{codec}", "partition": 0}
    try:
        admin = reader if reader.name != "kcat" else writer
        admin("create_topic", topic=where["topic"], partitions=1, config={"segment.bytes": str(64 << 20)})
        started = time.monotonic()
        writer("produce", **where, codec=codec, file=str(source), timeout=600, patience=600)
        written = time.monotonic()
        reader("consume", **where, **{"from": 0}, count=lines, file=str(out), timeout=600, patience=600)
        read = time.monotonic()
    finally:
        writer.stop()
        reader.stop()
    got, _ = sha256_and_lines(out)
    out.unlink()
    if got != wanted:
        raise drivers.Failed(f"sha256 {got} came out, {wanted} went in")
    return written - started, read - written


def faults(broker):
    """Kafka's own tool over every segment; answers how many topics it finds fault with."""
    bad = 0
    for folder in sorted(broker.data.glob("corpus-*-0")):
        try:
            print(f"pass dump of {folder.name}: {brokers.dump([folder])} segments", flush=True)
        except brokers.Fault as fault:
            print(f"FAIL dump of {folder.name}: {fault}", flush=True)
            bad += 1
    return bad


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--broker", type=pathlib.Path, help="the broker's binary")
    which.add_argument("--reference", action="store_true", help="run against Apache Kafka")
    parser.add_argument("--codecs", default=",".join(PASSES), help="some codecs only")
    arguments = parser.parse_args()

    source = corpus()
    size = source.stat().st_size
    print(f"corpus: {size} bytes, {sha256_and_lines(source)[1]} lines")
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="milena-corpus-") as directory, contextlib.ExitStack() as stack:
        broker = brokers.broker_of(arguments, directory)
        log = stack.enter_context(open(pathlib.Path(directory, "clients.log"), "wb"))
        stack.callback(broker.stop, signal.SIGKILL)
        broker.start()
        for codec in arguments.codecs.split(","):
            pair = " -> ".join(PASSES[codec])
            try:
                into, out = send_through(codec, broker, directory, log, source)
                print(f"pass {codec}: {pair}, in {size / into / 1e6:.0f} MB/s, out {size / out / 1e6:.0f} MB/s", flush=True)
                passed += 1
            except (drivers.Failed, drivers.NotAvailable) as e:
                print(f"FAIL {codec}: {pair}: {e}", flush=True)
                failed += 1
        broker.stop()
        bad = faults(broker)
        failed += bad
        passed += len(arguments.codecs.split(",")) - bad
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
