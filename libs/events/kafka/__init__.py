"""The bus on Apache Kafka; only this package imports aiokafka."""
