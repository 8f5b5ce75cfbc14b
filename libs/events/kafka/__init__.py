"""The bus on Apache Kafka, by aiokafka: the only place that imports it."""
