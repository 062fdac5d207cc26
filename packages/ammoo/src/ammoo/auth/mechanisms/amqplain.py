"""AMQPLAIN: login and password in a field table, the mechanism of AMQP 0-8."""

from ammoo_wire.sasl import amqplain_response

from ..abc import AuthenticationMechanism

__all__ = ["AMQPlainAuth"]


class AMQPlainAuth(AuthenticationMechanism):
    """The mechanism AMQPLAIN.

    Args:
        login: The user's name.
        password: The password.
    """

    login: str = ""

    def __init__(self, login: str, password: str) -> None:
        self.login = login
        self._password = password

    def __repr__(self) -> str:
        return f"{type(self).__name__}(login={self.login!r})"

    @classmethod
    def name(cls) -> str:
        """Return the mechanism's name."""
        return "AMQPLAIN"

    def build_start_ok_response(self, encoding: str, rabbitmq: bool) -> bytes:
        """Return the table without the usual length in front, as servers expect.

        Args:
            encoding: Not used: the text is encoded as UTF-8.
            rabbitmq: Not used.
        """
        return amqplain_response(self.login, self._password)
