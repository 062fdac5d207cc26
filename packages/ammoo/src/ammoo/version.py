"""The version of the package, for all that need it: it is set here and in pyproject.toml."""

__all__ = ["__version__"]

__version__ = "1.0.0"
