"""Captures golden frames: what real clients and Apache Kafka say to each other.

    capture.py OUT      writes OUT/<family>/<api>_v<N>_<client>.{request,response}.hex

Each client runs its driver's commands and, where there is one, its tour of rarer APIs, through a recording proxy. One
pair is kept per client, API and version: the largest whose two frames are small, as it has the most in it.
"""

import base64
import contextlib
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import drivers  # noqa: E402
from proxy import Proxy  # noqa: E402

ROOT = HERE.parents[2]
SMALL = 700
FRAME_BYTES_MAX = 4096
TOURS = {
    "confluent-kafka": [drivers.PYTHON, HERE / "tour_confluent.py"],
    "kafka-python": [drivers.PYTHON, HERE / "tour_kafka_python.py"],
    "aiokafka": [drivers.PYTHON, HERE / "tour_aiokafka.py"],
    "java": [*drivers.JAVA, "-cp", drivers.JAVA_CLASSES, "Tour"],
}


def apis():
    """Key to (family, api), as the protocol crate's own files have it."""
    found = {}
    for file in (ROOT / "protocol/src/messages").glob("*/*.rs"):
        for key in re.findall(r"^\s*key (\d+),", file.read_text(), re.M):
            found[int(key)] = (file.parent.name, file.stem)
    return found


class Pairs:
    def __init__(self):
        self.kept = {}
        self.client = None

    def observe(self, key, version, request, response):
        place = (self.client, key, version)
        size = max(len(request), len(response))
        old = self.kept.get(place)
        if old is None or rank(size) > rank(max(map(len, old))):
            self.kept[place] = (request, response)


def rank(size):
    return size if size <= SMALL else -size


def b64(text):
    return base64.b64encode(text.encode()).decode()


def everyday(driver):
    """The commands that every driver knows; what a client lacks is passed over."""
    topic = f"golden-{driver.name}"
    where = {"topic": topic, "partition": 0}
    record = {"key": b64("key"), "value": b64("value"), "headers": [["header", b64("content")]]}
    bare = {"key": None, "value": b64("v" * 40)}
    steps = [
        ("create_topic", {"topic": topic, "partitions": 1}),
        *(
            ("produce", where | {"codec": codec, "acks": "all", "idempotent": True, "records": [record, bare]})
            for codec in ("none", "gzip", "snappy", "lz4", "zstd")
        ),
        ("produce", where | {"acks": "1", "records": [record]}),
        ("describe_topic", {"topic": topic}),
        ("consume", where | {"from": 0, "count": 11}),
        ("offsets", where),
        ("offset_for_time", where | {"timestamp": 1}),
        ("tail", where | {"records": [bare]}),
        ("delete_records", where | {"before": 3}),
        ("delete_topic", {"topic": topic}),
    ]
    for op, arguments in steps:
        try:
            driver(op, **arguments)
        except drivers.NotAvailable as missing:
            print(f"{driver.name}: {missing}")


def main(out):
    pairs, known = Pairs(), apis()
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        port = drivers.free_port()
        proxy = Proxy(port, pairs.observe)
        advertised = f"advertised.listeners=PLAINTEXT://127.0.0.1:{proxy.port}"
        reference = ROOT / "tests/reference"
        stack.callback(subprocess.run, [reference / "stop.sh", directory])
        subprocess.run([reference / "start.sh", str(port), directory, advertised], check=True)
        proxy.start()
        versions = {}
        log = stack.enter_context(open(f"{directory}/clients.log", "wb"))
        for name in drivers.CLIENTS:
            pairs.client = name
            driver = drivers.Driver(name, f"127.0.0.1:{proxy.port}", log)
            try:
                versions[name] = driver("hello")["version"]
                everyday(driver)
            finally:
                driver.stop()
            if name in TOURS:
                subprocess.run([*map(str, TOURS[name]), f"127.0.0.1:{proxy.port}"], check=True, timeout=120)
    for (client, key, version), (request, response) in sorted(pairs.kept.items()):
        if max(len(request), len(response)) > FRAME_BYTES_MAX:
            continue
        family, api = known[key]
        folder = pathlib.Path(out, family)
        folder.mkdir(parents=True, exist_ok=True)
        for side, frame in (("request", request), ("response", response)):
            text = f"# {client} {versions[client]}\n{frame.hex()}\n"
            (folder / f"{api}_v{version}_{client}.{side}.hex").write_text(text)
    print(f"{len(pairs.kept)} pairs of {len({key for _, key, _ in pairs.kept})} APIs")


if __name__ == "__main__":
    main(sys.argv[1])
