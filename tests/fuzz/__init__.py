"""Fuzzers: octets nobody would write, given to the packages for as long as one likes.

See README.md; `python -m tests.fuzz --help`.
"""
