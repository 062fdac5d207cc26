"""Passwords and tokens, which no error and no repr may hold."""

from collections.abc import Callable
from typing import Any

import pytest

from ammoo.auth.abc import Authentication, AuthenticationMechanism
from ammoo.auth.mechanisms.amqplain import AMQPlainAuth
from ammoo.auth.mechanisms.external import ExternalAuth
from ammoo.auth.mechanisms.sasl_plain import SaslPlainAuth
from ammoo.auth.password import PasswordAuthentication
from ammoo.auth.secrets import encode_secret

SECRET = "s3cr3t\ud800"


def _is_held(error: BaseException | None) -> bool:
    """Return whether an error, or one that it is chained to, holds the secret."""
    return error is not None and (
        "s3cr3t" in f"{error}{error.args!r}"
        or _is_held(error.__cause__)
        or _is_held(error.__context__)
    )


@pytest.mark.parametrize(
    "respond",
    [
        lambda: SaslPlainAuth("user", SECRET).build_start_ok_response("utf-8", True),
        lambda: SaslPlainAuth("user", "s3cr3tä").build_start_ok_response("ascii", True),
        lambda: SaslPlainAuth("user", "s3cr3t\0"),
        lambda: AMQPlainAuth("user", SECRET).build_start_ok_response("utf-8", True),
        lambda: (
            PasswordAuthentication("user", SECRET)
            .select_mechanism({"PLAIN"})
            .build_start_ok_response("utf-8", True)
        ),
        lambda: encode_secret(SECRET, "new_secret"),
    ],
)
def test_secret_that_cannot_be_sent_is_not_shown(respond: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"pass|NUL|secret") as caught:
        respond()

    assert not _is_held(caught.value)


@pytest.mark.parametrize("secret", [b"s3cr3t", ["s3cr3t"], None])
def test_secret_of_a_wrong_type_is_not_shown(secret: Any) -> None:
    with pytest.raises(TypeError, match="new_secret is of type") as caught:
        encode_secret(secret, "new_secret")

    assert not _is_held(caught.value)


@pytest.mark.parametrize("cls", [SaslPlainAuth, AMQPlainAuth, ExternalAuth, PasswordAuthentication])
def test_repr_of_what_is_half_built(cls: type[Authentication | AuthenticationMechanism]) -> None:
    assert repr(cls.__new__(cls)).startswith(cls.__name__)


def test_plain_response() -> None:
    assert b"as\x00user\x00p\xc3\xa4" == (
        SaslPlainAuth("user", "pä", "as").build_start_ok_response("utf-8", True)
    )
