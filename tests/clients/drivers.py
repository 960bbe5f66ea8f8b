"""Where each client's driver is, how it is started, and how it is spoken to."""

import json
import os
import pathlib
import queue
import socket
import subprocess
import threading

HERE = pathlib.Path(__file__).resolve().parent
INSTALLED = pathlib.Path(os.environ.get("MILENA_CLIENTS_DIR", HERE.parents[1] / ".clients"))

PYTHON = INSTALLED / "python/bin/python"
JAVA = ["java", "-Xmx384m", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
JAVA_CLASSES = f"{INSTALLED}/java/classes:{INSTALLED}/java/lib/*"

# name: (what must exist for it to run, command line)
CLIENTS = {
    "kcat": ("/usr/bin/kcat", ["python3", HERE / "python/kcat.py"]),
    "confluent-kafka": (PYTHON, [PYTHON, HERE / "python/confluent.py"]),
    "kafka-python": (PYTHON, [PYTHON, HERE / "python/kafka_python.py"]),
    "aiokafka": (PYTHON, [PYTHON, HERE / "python/aio_kafka.py"]),
    "kafkajs": (INSTALLED / "node/node_modules", ["node", HERE / "node/driver.js"]),
    "java": (INSTALLED / "java/classes", [*JAVA, "-cp", JAVA_CLASSES, "Driver"]),
    "franz-go": (INSTALLED / "go/driver", [INSTALLED / "go/driver"]),
}


class Failed(Exception):
    """The client answered with an error, with nothing in time, or ended."""


class NotAvailable(Exception):
    """The client lacks what was asked for."""


class Driver:
    """One client's process; killed and started anew after a command that it did not answer in time."""

    def __init__(self, name, address, log):
        self.name, self.address, self.log = name, address, log
        self.process = None

    def start(self):
        _, command = CLIENTS[self.name]
        self.process = subprocess.Popen(
            [*map(str, command), self.address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            env=os.environ | {"MILENA_CLIENTS_DIR": str(INSTALLED), "PYTHONWARNINGS": "ignore"},
            start_new_session=True,
        )
        self.answers = queue.Queue()
        threading.Thread(target=self.read, args=(self.process.stdout, self.answers), daemon=True).start()

    @staticmethod
    def read(stdout, answers):
        for line in stdout:
            answers.put(line)
        answers.put(None)

    def __call__(self, op, patience=60, **arguments):
        """Sends one command and returns its answer's content."""
        if self.process is None:
            self.start()
        self.log.write(f"--> {op} {json.dumps(arguments)[:300]}\n".encode())
        self.log.flush()
        try:
            self.process.stdin.write(json.dumps({"op": op, **arguments}).encode() + b"\n")
            self.process.stdin.flush()
            line = self.answers.get(timeout=patience)
        except (queue.Empty, BrokenPipeError):
            line = b""
        if not line:
            self.stop()
            raise Failed(f"{op}: no answer in {patience} s" if line == b"" else f"{op}: the client's process ended")
        answer = json.loads(line)
        if "na" in answer:
            raise NotAvailable(answer["na"])
        if "error" in answer:
            raise Failed(f"{op}: {answer['error']}")
        return answer["ok"]

    def stop(self):
        process, self.process = self.process, None  # another thread may find it dead meanwhile
        if process is not None:
            try:
                os.killpg(process.pid, 9)  # a session of its own: kcat's runs end with their driver
            except ProcessLookupError:
                pass
            process.wait()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as held:
        return held.getsockname()[1]
