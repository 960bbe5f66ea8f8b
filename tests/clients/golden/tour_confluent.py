"""Takes confluent-kafka past the APIs that its driver does not touch: groups, transactions, configs, ACLs."""

import sys

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, IsolationLevel, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
)

base = {"bootstrap.servers": sys.argv[1], "client.id": "confluent-kafka"}
topic = "tour-confluent"
admin = AdminClient(base)


def settle(futures):
    """Waits for every answer; a refusal is an answer too."""
    for future in futures.values() if isinstance(futures, dict) else [futures]:
        try:
            future.result(20)
        except Exception as refused:
            print(f"confluent-kafka: {refused}")


settle(admin.create_topics([NewTopic(topic, 1, 1)]))
settle(admin.create_partitions([NewPartitions(topic, 2)]))
resource = ConfigResource("topic", topic)
settle(admin.describe_configs([resource]))
change = ConfigEntry("retention.ms", "1000000", incremental_operation=AlterConfigOpType.SET)
settle(admin.incremental_alter_configs([ConfigResource("topic", topic, incremental_configs=[change])]))
settle(admin.alter_configs([ConfigResource("topic", topic, set_config={"retention.ms": "2000000"})]))
settle(admin.describe_cluster())

producer = Producer(base | {"transactional.id": "tour-confluent"})
producer.init_transactions(20)
consumer = Consumer(base | {"group.id": "tour-confluent", "auto.offset.reset": "earliest", "enable.auto.commit": False})
consumer.subscribe([topic])
producer.begin_transaction()
producer.produce(topic, b"value", b"key", partition=0)
producer.flush(20)
for _ in range(100):
    if consumer.assignment():
        break
    consumer.poll(0.1)
producer.send_offsets_to_transaction([TopicPartition(topic, 0, 1)], consumer.consumer_group_metadata(), 20)
producer.commit_transaction(20)
consumer.commit(offsets=[TopicPartition(topic, 1, 0)], asynchronous=False)
consumer.committed([TopicPartition(topic, 0)], 20)
settle(admin.list_consumer_groups())
settle(admin.describe_consumer_groups(["tour-confluent"]))
settle(admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions("tour-confluent")]))
consumer.close()
settle(admin.list_offsets({TopicPartition(topic, 0): OffsetSpec.max_timestamp()}, isolation_level=IsolationLevel.READ_COMMITTED))
settle(admin.delete_consumer_groups(["tour-confluent"]))
settle(admin.delete_topics([topic]))
