"""What tools, proxies and readers of captures need: all that was said, read without taking part.

`reader.py` reads one direction of a connection, `conversation.py` joins two of them;
`read_items.py` has what they return, and `description.py` shows it to people and as JSON.
"""
