"""The network: the listening server, clients' sockets or transports in memory, and the thread."""
