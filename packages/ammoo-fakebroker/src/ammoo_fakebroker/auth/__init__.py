"""Users, and how a client logs in."""
