"""The clients that are compared: a module each, in which functions are called as workloads are.

A client that lacks a function does not have the workload. Each does it as its documentation
would have it done. Modules are imported by name, and so untyped: whoever checks types need not
have all clients installed, and most of them have no types.
"""
