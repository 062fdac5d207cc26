"""What consumes in the caller's place: handlers, batches, and the orderly end of both."""
