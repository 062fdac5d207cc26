"""Queues of every type, their consumers, and what happens to a message that dies in one."""
