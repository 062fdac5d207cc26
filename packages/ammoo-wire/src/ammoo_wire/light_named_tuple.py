"""`LightNamedTuple`: the base of the methods' declarations, a named tuple that is cheap to define.

For a type checker it is `typing.NamedTuple`, and its classes do what those of
`NamedTuple` do. But `NamedTuple` compiles a constructor for each class: 0.10 ms,
which 66 methods make two thirds of what importing this package costs. Here the
classes share one constructor that is written in Python, and a class is defined
in a tenth of that. It is slower to call; the hot paths make their tuples with
``tuple.__new__`` in either case.
"""

from typing import TYPE_CHECKING

__all__ = ["LightNamedTuple"]

if TYPE_CHECKING:
    from typing import NamedTuple as LightNamedTuple
else:
    import collections
    from operator import itemgetter

    # What namedtuple itself uses: it reads a field in half the time of a property.
    _field = getattr(
        collections, "_tuplegetter", lambda index, doc: property(itemgetter(index), doc=doc)
    )

    class _Definition(type):
        """Makes a tuple class of a class whose annotations are fields."""

        def __new__(mcs, name, bases, namespace):
            namespace["__slots__"] = ()
            cls = super().__new__(mcs, name, bases, namespace)
            cls._fields = cls.__match_args__ = names = tuple(cls.__annotations__)
            cls._field_defaults = {each: namespace[each] for each in names if each in namespace}
            for index, each in enumerate(names):
                setattr(cls, each, _field(index, f"Field number {index}"))
            return cls

        @property
        def __signature__(cls):
            from inspect import Parameter, Signature  # only documentation asks

            return Signature(
                Parameter(
                    name,
                    Parameter.POSITIONAL_OR_KEYWORD,
                    default=cls._field_defaults.get(name, Parameter.empty),
                )
                for name in cls._fields
            )

    class LightNamedTuple(tuple, metaclass=_Definition):
        """A named tuple; see the module."""

        def __new__(cls, *args, **kwargs):
            names = cls._fields
            if len(args) < len(names) or kwargs:
                rest = {**cls._field_defaults, **kwargs}
                try:
                    args += tuple([rest.pop(name) for name in names[len(args) :]])
                except KeyError as error:
                    raise TypeError(f"{cls.__name__} needs the argument {error}") from None
                surplus = [name for name in kwargs if name in rest]
                if surplus:
                    raise TypeError(
                        f"{cls.__name__} got unknown or repeated arguments: {', '.join(surplus)};"
                        f" its fields are {', '.join(names) or 'none'}"
                    )
            elif len(args) > len(names):
                raise TypeError(f"{cls.__name__} takes {len(names)} arguments, not {len(args)}")
            return tuple.__new__(cls, args)

        @classmethod
        def _make(cls, iterable):
            """Return a tuple of as many values as there are fields."""
            values = tuple(iterable)
            if len(values) != len(cls._fields):
                raise TypeError(
                    f"{cls.__name__} takes {len(cls._fields)} values, not {len(values)}"
                )
            return tuple.__new__(cls, values)

        def _replace(self, **kwargs):
            """Return a copy in which some fields have other values."""
            return type(self)(**{**self._asdict(), **kwargs})

        def _asdict(self):
            """Return the values by field name."""
            return dict(zip(self._fields, self, strict=True))

        def __getnewargs__(self):
            return tuple(self)

        def __repr__(self):
            values = ", ".join(f"{name}={_show(value)}" for name, value in self._asdict().items())
            return f"{type(self).__name__}({values})"

    def _show(value):
        """Return a value's repr; a peer may nest tables more deeply than Python prints them."""
        try:
            return repr(value)
        except RecursionError:
            return f"<a {type(value).__name__} nested too deeply to print>"
