"""An Apache Kafka of our own: jars out of Maven Central, run by Java on one folder."""
