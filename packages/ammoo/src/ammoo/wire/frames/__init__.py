"""What frames carry: see `ammoo_wire.frames`."""
