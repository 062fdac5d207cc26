"""Reading connections for tools, proxies and captures, without being one of the peers.

`reader.py` reads one direction of a connection, `conversation.py` joins two of them;
`read_items.py` has what they return, and `description.py` shows it to people and as JSON.
"""
