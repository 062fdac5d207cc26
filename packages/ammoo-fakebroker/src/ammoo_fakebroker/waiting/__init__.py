"""Waiting until something has happened in a broker, in any thread or event loop."""
