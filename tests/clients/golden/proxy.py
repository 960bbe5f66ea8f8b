"""A TCP proxy that hands on Kafka's frames between clients and one broker, and shows each to an observer."""

import socket
import struct
import threading


class Proxy:
    def __init__(self, broker_port, observe):
        """`observe(key, version, request, response)` is called per answered request; frames have no length prefix."""
        self.broker_port, self.observe = broker_port, observe
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def start(self):
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            broker = socket.create_connection(("127.0.0.1", self.broker_port))
            open_requests = {}
            for source, target, see in (
                (client, broker, self.see_request),
                (broker, client, self.see_response),
            ):
                source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self.hand_on, args=(source, target, see, open_requests), daemon=True).start()

    def hand_on(self, source, target, see, open_requests):
        try:
            with source.makefile("rb") as frames:
                while prefix := frames.read(4):
                    frame = frames.read(struct.unpack(">i", prefix)[0])
                    see(frame, open_requests)
                    target.sendall(prefix + frame)
        except (OSError, struct.error):
            pass  # one side went away: so does the other
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def see_request(self, frame, open_requests):
        key, version, correlation = struct.unpack_from(">hhi", frame)
        open_requests[correlation] = (key, version, frame)

    def see_response(self, frame, open_requests):
        [correlation] = struct.unpack_from(">i", frame)
        if correlation in open_requests:
            key, version, request = open_requests.pop(correlation)
            self.observe(key, version, request, frame)
