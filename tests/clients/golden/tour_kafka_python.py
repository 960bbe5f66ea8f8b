"""Takes kafka-python past the APIs that its driver does not touch: groups, configs, and what describes a cluster."""

import sys

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewTopic

base = {"bootstrap_servers": sys.argv[1], "client_id": "kafka-python"}
topic = "tour-kafka-python"
admin = KafkaAdminClient(**base)


def settle(operation, *arguments, **named):
    """A refusal is an answer too."""
    try:
        return operation(*arguments, **named)
    except Exception as refused:
        print(f"kafka-python: {type(refused).__name__} {refused}")


settle(admin.create_topics, [NewTopic(topic, 1, 1)])
settle(admin.create_partitions, {topic: 2})
resource = ConfigResource(ConfigResourceType.TOPIC, topic, configs={"retention.ms": "1000000"})
settle(admin.alter_configs, [resource])
settle(admin.describe_configs, [ConfigResource(ConfigResourceType.TOPIC, topic)])
settle(admin.list_config_resources)
settle(admin.describe_cluster)
settle(admin.describe_features)
settle(admin.describe_metadata_quorum)
settle(admin.describe_log_dirs)
settle(admin.describe_topic_partitions, [topic])
settle(admin.list_partition_reassignments)

producer = KafkaProducer(**base, transactional_id="tour-kafka-python")
producer.init_transactions()
producer.begin_transaction()
producer.send(topic, b"value", b"key", partition=0)
producer.abort_transaction()
settle(admin.list_transactions)
settle(admin.describe_transactions, ["tour-kafka-python"])
settle(admin.describe_producers, [TopicPartition(topic, 0)])
producer.close()

consumer = KafkaConsumer(topic, **base, group_id="tour-kafka-python", auto_offset_reset="earliest", enable_auto_commit=False)
consumer.poll(3000)
consumer.commit()
consumer.committed(TopicPartition(topic, 0))
settle(admin.list_groups)
settle(admin.describe_groups, ["tour-kafka-python"])
consumer.close()
settle(admin.delete_groups, ["tour-kafka-python"])
settle(admin.delete_topics, [topic])
