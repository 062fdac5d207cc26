"""What the pytest plugin does, imported when a test uses it; and the mixin for unittest."""
