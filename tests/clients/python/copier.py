"""One worker of exactly_once.py: copies records from one topic to another in transactions, with librdkafka.

It is started with the broker's address, its name (which is its transactional id), how many records a transaction may
hold, and a seed. It runs until it is killed, and ends by itself when its producer is of no use any more, or hangs:
librdkafka can wait for ever with offsets for a group's coordinator that it knew before the broker was restarted.
"""

import random
import signal
import sys

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

GROUP, SOURCE, TARGET = "copiers", "source", "target"
ABORTED_ON_PURPOSE = 0.1
PATIENCE_SECONDS = 10
HANGING_SECONDS = 25


class Copier:
    def __init__(self, address, name, most, seed):
        self.most, self.dice = most, random.Random(seed)
        self.consumer = Consumer(
            {
                "bootstrap.servers": address,
                "client.id": name,
                "log_level": 2,
                "group.id": GROUP,
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "session.timeout.ms": 3000,
                "heartbeat.interval.ms": 500,
            }
        )
        self.producer = Producer(
            {
                "bootstrap.servers": address,
                "client.id": name,
                "log_level": 2,
                "transactional.id": name,
                "transaction.timeout.ms": 10_000,
                "linger.ms": 2,
            }
        )

    def run(self):
        signal.alarm(HANGING_SECONDS)
        self.repeat(self.producer.init_transactions)
        # Callbacks make partitions change hands between two calls of consume, and not behind this worker's back.
        self.consumer.subscribe([SOURCE], on_assign=ignore, on_revoke=ignore, on_lost=ignore)
        while True:
            signal.alarm(HANGING_SECONDS)
            read = [m for m in self.consumer.consume(self.most, timeout=0.2) if not m.error()]
            if read:
                self.copy(read, self.consumer.consumer_group_metadata())

    def copy(self, read, group):
        self.producer.begin_transaction()
        try:
            for m in read:
                self.producer.produce(TARGET, m.value(), m.key(), m.partition())
            if self.dice.random() < ABORTED_ON_PURPOSE:
                self.producer.flush(PATIENCE_SECONDS)
                return self.take_back(read)
            self.repeat(self.producer.send_offsets_to_transaction, after(read), group)
            self.repeat(self.producer.commit_transaction)
        except KafkaException as e:
            if not e.args[0].txn_requires_abort():
                raise
            self.take_back(read)

    def take_back(self, read):
        self.repeat(self.producer.abort_transaction)
        first = {}
        for m in read:
            first.setdefault(m.partition(), m.offset())
        for partition, offset in first.items():
            try:
                self.consumer.seek(TopicPartition(SOURCE, partition, offset))
            except KafkaException:
                pass  # it was given away: whoever has it begins at what was committed

    @staticmethod
    def repeat(act, *arguments):
        """Does what may be done again until it is done."""
        while True:
            try:
                return act(*arguments, PATIENCE_SECONDS)
            except KafkaException as e:
                if not e.args[0].retriable():
                    raise


def after(read):
    """The offsets that follow what was read."""
    following = {m.partition(): m.offset() + 1 for m in read}
    return [TopicPartition(SOURCE, partition, offset) for partition, offset in following.items()]


def ignore(*_):
    pass


if __name__ == "__main__":
    _, address, name, most, seed = sys.argv
    Copier(address, name, int(most), seed).run()
