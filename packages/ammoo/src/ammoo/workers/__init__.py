"""Consuming with handlers or in batches, and the orderly end of both."""
