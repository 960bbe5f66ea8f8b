"""Messages that kafka-python does not know yet, in Kafka's notation."""
