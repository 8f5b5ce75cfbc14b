"""A local Apache Kafka server: jars from Maven Central, run by Java on one folder."""
