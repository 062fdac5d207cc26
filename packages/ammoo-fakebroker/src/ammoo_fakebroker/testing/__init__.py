"""The code of the pytest plugin, imported when a test uses a fixture; and the mixin for unittest."""
