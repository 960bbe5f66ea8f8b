"""One load generator: produces or consumes a given number of records with librdkafka and prints what it took as JSON.

Run in a process of its own, so that its interpreter lock and its CPU time are nobody else's.
"""

import argparse
import json
import os
import time

from confluent_kafka import Consumer, Producer, TopicPartition


def produce(options):
    producer = Producer({
        "bootstrap.servers": options.bootstrap,
        "acks": options.acks,
        "linger.ms": options.linger_ms,
        "batch.size": options.batch_bytes,
        "batch.num.messages": 1_000_000,
        "message.max.bytes": 1_000_000,
        "queue.buffering.max.messages": 2_000_000,
        "queue.buffering.max.kbytes": 256 * 1024,
        "compression.type": options.codec,
    })
    failures = []

    def delivered(error, _message):
        if error is not None:
            failures.append(str(error))

    value = os.urandom(options.size)
    begun = time.monotonic()
    for index in range(options.count):
        while True:
            try:
                producer.produce(
                    options.topic, value, partition=index % options.partitions, on_delivery=delivered)
                break
            except BufferError:
                producer.poll(0.01)
        if index % 1000 == 0:
            producer.poll(0)
    left = producer.flush(300)
    took = time.monotonic() - begun
    if failures or left:
        raise SystemExit(f"{len(failures)} records failed ({failures[:1]}), {left} were not delivered")
    return took


def consume(options):
    consumer = Consumer({
        "bootstrap.servers": options.bootstrap,
        "group.id": "bench",
        "enable.auto.commit": False,
        # librdkafka stops fetching for a second whenever its queue is full.
        "queued.min.messages": 1_000_000,
        "queued.max.messages.kbytes": 512 * 1024,
        "fetch.queue.backoff.ms": 1,
        "fetch.message.max.bytes": 1 << 20,
        "fetch.wait.max.ms": 100,
        "check.crcs": True,
    })
    consumer.assign([TopicPartition(options.topic, partition, 0) for partition in range(options.partitions)])
    begun = time.monotonic()
    left = options.count
    while left > 0:
        messages = consumer.consume(min(left, 10_000), timeout=30)
        if not messages:
            raise SystemExit(f"{left} records did not arrive")
        for message in messages:
            if message.error():
                raise SystemExit(str(message.error()))
        left -= len(messages)
    took = time.monotonic() - begun
    consumer.close()
    return took


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["produce", "consume"])
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--partitions", type=int, default=1)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--acks", default="all")
    parser.add_argument("--codec", default="none")
    parser.add_argument("--linger-ms", type=int, default=20)
    parser.add_argument("--batch-bytes", type=int, default=900_000)
    options = parser.parse_args()
    took = {"produce": produce, "consume": consume}[options.what](options)
    times = os.times()
    print(json.dumps({"seconds": took, "client_cpu_seconds": times.user + times.system}))


if __name__ == "__main__":
    main()
