"""What travels in frames: the methods, and the properties in a content header."""
