"""What the services share; nothing here is started, nothing here imports a service."""
