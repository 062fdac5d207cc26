"""History: what happened in a broker, as events that a test can ask for."""
