"""Fuzzers: octets that no peer would write, given to the packages for as long as one likes.

See README.md; `python -m tests.fuzz --help`.
"""
