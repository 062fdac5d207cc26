"""The methods' parameters: see `ammoo_wire.frames.method`."""
