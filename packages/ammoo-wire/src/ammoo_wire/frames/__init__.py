"""The content of frames: the methods, and the properties in a content header."""
