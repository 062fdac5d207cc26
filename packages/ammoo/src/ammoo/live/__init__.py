"""One socket's life: the connection and its channels as they are on the wire."""
