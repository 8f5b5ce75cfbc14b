"""The version, said here alone: the package, `--version`, `/info` and the metrics read it."""

VERSION = "0.1.0"
