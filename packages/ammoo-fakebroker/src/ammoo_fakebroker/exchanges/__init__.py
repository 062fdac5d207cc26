"""Exchanges: which queues a message is routed to."""
