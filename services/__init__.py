"""The services: each is imported, started, deployed and tested under its path."""
