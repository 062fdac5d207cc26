"""Decoding a body as its content-encoding says: character sets and compression.

Any client may publish to a queue, so the property is untrusted. Python has codecs whose time grows
with the square of the input, and looking a codec up imports a module by the name that is given.
So a sender chooses among the character sets below, all of which take linear time, and compression
that is undone up to a limit. The caller's own ``encoding=`` may be any codec.

This module knows octets and names; it knows no message.
"""

from typing import Final

from .exceptions.message import ContentEncodingError

__all__ = ["MAX_DECOMPRESSED", "decode_body", "is_no_encoding"]

MAX_DECOMPRESSED: Final = 16 * 1024 * 1024
"""To so many octets a compressed body is decompressed: it takes about 50 ms."""

_NO_ENCODINGS: Final = frozenset(("", "identity", "binary", "8bit", "7bit"))
"""Values which say that the body is not encoded; the last three are MIME's (RFC 2045)."""

_GZIP: Final = frozenset(("gzip", "x-gzip"))
_COMPRESSIONS: Final = _GZIP | {"deflate"}

_CHARACTER_SETS: Final = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "utf-8-sig": "utf-8-sig",
    "ascii": "ascii",
    "us-ascii": "ascii",
    "latin-1": "iso8859-1",
    "latin1": "iso8859-1",
    **{f"utf-{width}": f"utf-{width}" for width in (16, 32)},
    **{f"utf{width}": f"utf-{width}" for width in (16, 32)},
    **{f"utf-{width}{end}": f"utf-{width}-{end}" for width in (16, 32) for end in ("le", "be")},
    **{f"utf-{width}-{end}": f"utf-{width}-{end}" for width in (16, 32) for end in ("le", "be")},
    **{f"iso-8859-{part}": f"iso8859-{part}" for part in range(1, 17) if part != 12},
    **{f"iso8859-{part}": f"iso8859-{part}" for part in range(1, 17) if part != 12},
    **{f"windows-{page}": f"cp{page}" for page in range(1250, 1259)},
    **{f"cp{page}": f"cp{page}" for page in range(1250, 1259)},
    **{
        name: name.replace("-", "_")
        for name in (
            "big5",
            "euc-jp",
            "euc-kr",
            "gb18030",
            "gb2312",
            "gbk",
            "iso-2022-jp",
            "koi8-r",
            "koi8-u",
            "shift-jis",
        )
    },
}
"""Python's codec for each of IANA's names of character sets, and for their usual other spellings."""


def decode_body(body: bytearray, content_encoding: str | None, usual: str) -> str:
    """Decode a body as its sender says.

    Args:
        body: The octets.
        content_encoding: The property; None if the message has none.
        usual: The character set where the property names none; the caller's own choice.

    Raises:
        ContentEncodingError: The property names no encoding that a sender may choose, or the
            compressed body is damaged or too large.
        UnicodeError: The body is not text in that character set.
        LookupError: Python has no character set `usual`.
    """
    if content_encoding is None or content_encoding == usual:
        return body.decode(usual)
    name = content_encoding.lower().replace("_", "-")
    character_set = _CHARACTER_SETS.get(name)
    if character_set is not None:
        return body.decode(character_set)
    if is_no_encoding(name):
        return body.decode(usual)
    if name not in _COMPRESSIONS:
        raise ContentEncodingError(
            content_encoding,
            "is no character set that a sender may choose; decode with encoding=, or use the body",
        )
    return _decompress(body, content_encoding, is_gzip=name in _GZIP).decode(usual)


def is_no_encoding(content_encoding: str) -> bool:
    """Return whether a content-encoding says that nothing was done to the body."""
    return content_encoding.lower() in _NO_ENCODINGS


def _decompress(body: bytearray, content_encoding: str, *, is_gzip: bool) -> bytes:
    """Decompress a body, up to `MAX_DECOMPRESSED`.

    Raises:
        ContentEncodingError: It is damaged, or too large.
    """
    import zlib  # of use for few messages

    if is_gzip:
        window = zlib.MAX_WBITS | 16
    elif len(body) > 1 and body[0] & 15 == zlib.DEFLATED and (body[0] << 8 | body[1]) % 31 == 0:
        window = zlib.MAX_WBITS  # with a zlib header (RFC 1950), as HTTP's deflate should have
    else:
        window = -zlib.MAX_WBITS  # without it, as many send it
    decompressing = zlib.decompressobj(window)
    try:
        octets = decompressing.decompress(body, MAX_DECOMPRESSED + 1)
    except zlib.error as error:
        raise ContentEncodingError(
            content_encoding, f"does not fit the body, which cannot be decompressed ({error})"
        ) from error
    if len(octets) > MAX_DECOMPRESSED:
        raise ContentEncodingError(
            content_encoding,
            f"hides more than {MAX_DECOMPRESSED} octets; if you trust the sender, decompress"
            " the body with zlib",
        )
    if not decompressing.eof or decompressing.unused_data:
        raise ContentEncodingError(
            content_encoding, "does not fit the body, which is cut short or has data after its end"
        )
    return octets
