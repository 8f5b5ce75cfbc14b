"""The published schemas: one file per event, JSON Schema or Avro, with its version."""
