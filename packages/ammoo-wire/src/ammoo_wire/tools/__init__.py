"""The commands of ``python -m ammoo_wire``: the one part of the package that opens files and sockets."""
