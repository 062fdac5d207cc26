"""Requests and replies: calling, and serving calls."""
