"""Numbered records for exactly_once.py: written once each, read back, and how far readers are."""

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec


class Ids:
    def __init__(self, address):
        self.base = {"bootstrap.servers": address, "client.id": "ids", "log_level": 2}
        self.admin = AdminClient(self.base)
        self.producer = Producer(self.base | {"enable.idempotence": True, "linger.ms": 5, "message.timeout.ms": 0})
        self.partitions = {}

    def create(self, topic, partitions):
        self.admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result()
        self.partitions[topic] = partitions

    def fill(self, topic, ids):
        failures = []
        for one in ids:
            partition = one % self.partitions[topic]
            self.producer.produce(
                topic, b"%d" % one, None, partition, on_delivery=lambda error, _: failures.append(error) if error else None
            )
            if one % 1000 == 0:
                self.producer.poll(0)
        self.producer.flush()
        if failures:
            raise KafkaException(failures[0])

    def latest(self, topic, committed):
        """Where the broker says that each partition ends for such readers; None if it does not say."""
        isolation = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED
        wanted = {TopicPartition(topic, partition): OffsetSpec.latest() for partition in range(self.partitions[topic])}
        try:
            found = self.admin.list_offsets(wanted, isolation_level=isolation, request_timeout=3)
            return {one.partition: future.result().offset for one, future in found.items()}
        except KafkaException:
            self.admin = AdminClient(self.base)  # which would stay with the leader epoch from before a restart
            return None

    def ends(self, topic, committed):
        """Where readers come to an end, in each partition."""
        return {partition: end for partition, end, _ in self.walk(topic, committed, from_the_end=True)}

    def is_read(self, group, topic):
        """Whether the group has committed all that there is."""
        ends = self.ends(topic, True)
        consumer = Consumer(self.base | {"group.id": group, "isolation.level": "read_committed"})
        try:
            committed = consumer.committed([TopicPartition(topic, partition) for partition in ends], timeout=20)
        except KafkaException:
            return False  # some of it may still change
        finally:
            consumer.close()
        return {one.partition: max(one.offset, 0) for one in committed} == ends

    def read(self, topic):
        """The ids that readers of committed records see."""
        return [int(value) for _, _, values in self.walk(topic, True, from_the_end=False) for value in values]

    def walk(self, topic, committed, from_the_end):
        """For each partition: its number, where it ends for such a reader, and the values on the way there."""
        for partition in range(self.partitions[topic]):
            isolation = "read_committed" if committed else "read_uncommitted"
            how = {"group.id": "unused", "isolation.level": isolation, "enable.partition.eof": True}
            consumer = Consumer(self.base | how)
            try:
                start = 0
                if from_the_end:
                    # The last records only: where a reader stops is not where the log does.
                    _, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=20)
                    start = max(0, high - 1)
                consumer.assign([TopicPartition(topic, partition, start)])
                values, end = [], None
                while end is None:
                    for message in consumer.consume(1000, timeout=0.1):
                        if message.error() and message.error().code() == KafkaError._PARTITION_EOF:
                            end = message.offset()
                        elif message.error():
                            raise KafkaException(message.error())
                        else:
                            values.append(message.value())
                yield partition, end, values
            finally:
                consumer.close()
