"""The wire codec under its documented name; it lives in the package `ammoo_wire`."""
