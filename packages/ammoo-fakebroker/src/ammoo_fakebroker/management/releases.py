"""The differences of the management API between RabbitMQ's releases.

As the profiles of the broker, this is data: handlers ask for a fact by its name, and routes name the
releases that have them. Each fact was seen on live nodes (3.10.8, 4.0.5 and 4.3.6).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

__all__ = [
    "EVERY_RELEASE",
    "ONLY_3_10",
    "SINCE_4_0",
    "SINCE_4_3",
    "UNTIL_4_0",
    "ApiRelease",
    "api_release",
]

ONLY_3_10: Final = frozenset(("3.10",))
UNTIL_4_0: Final = frozenset(("3.10", "4.0"))
SINCE_4_0: Final = frozenset(("4.0", "4.3"))
SINCE_4_3: Final = frozenset(("4.3",))
EVERY_RELEASE: Final = ONLY_3_10 | SINCE_4_0


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRelease:
    """The management API of one release."""

    wrong_password: str
    """The reason in the refusal of a wrong name or password."""
    hides_virtualhosts: bool
    """Whether a virtual host in which a user has no permissions is not found, and not refused."""
    managers_see_feature_flags: bool
    """Whether each user of the API may list the feature flags; otherwise only administrators."""
    says_where_users_are: bool
    """Whether whoami says that the user is in the broker's own database."""
    describes_definitions: bool
    """Whether exported definitions say what they are of."""
    checks_topic_exchanges: bool
    """Whether a topic permission is refused if there is no such exchange."""
    checks_several_protocols: bool
    """Whether a health check takes several protocols, and answers with those that are spoken."""
    looks_for_targets: bool
    """Whether a publish or a get looks for its exchange or queue first, with a refusal of its own."""
    escapes_policies: bool
    """Whether the refusal of a policy, not of an operator policy, is escaped as HTML."""
    protects_virtualhosts: bool
    """Whether virtual hosts can be protected from deletion."""
    pages_messages_out: bool
    """Whether queues show how many of their messages are on disk only."""
    shows_delivery_limits: bool
    """Whether quorum queues show their delivery limit."""
    answers_logins_with_users: bool
    """Whether a login is answered with the user, and not with a cookie."""
    unknown_node: str
    """The reason in the refusal of a node that is not in the cluster."""
    web_login: Mapping[str, bool | str]
    """The answer to the web interface about its login."""
    more_memory_parts: tuple[str, ...]
    """The parts of a node's memory beside those of all releases."""


_4_3 = ApiRelease(
    wrong_password="Not_Authorized",
    hides_virtualhosts=True,
    managers_see_feature_flags=True,
    says_where_users_are=True,
    describes_definitions=True,
    checks_topic_exchanges=True,
    checks_several_protocols=True,
    looks_for_targets=True,
    escapes_policies=False,
    protects_virtualhosts=True,
    pages_messages_out=False,
    shows_delivery_limits=True,
    answers_logins_with_users=True,
    unknown_node="Unknown node: {}",
    web_login={},
    more_memory_parts=("metadata_store", "metadata_store_ets"),
)
_4_0 = replace(
    _4_3,
    hides_virtualhosts=False,
    checks_topic_exchanges=False,
    checks_several_protocols=False,
    escapes_policies=True,
    protects_virtualhosts=False,
    pages_messages_out=True,
    shows_delivery_limits=False,
    answers_logins_with_users=False,
    unknown_node="Request to node {} failed with nodedown",
    web_login={"oauth_enabled": False},
)
_3_10 = replace(
    _4_0,
    wrong_password="Login failed",
    managers_see_feature_flags=False,
    says_where_users_are=False,
    describes_definitions=False,
    looks_for_targets=False,
    web_login={"enable_uaa": False, "uaa_client_id": "", "uaa_location": ""},
    more_memory_parts=("queue_slave_procs",),
)
_RELEASES = {"3.10": _3_10, "4.0": _4_0, "4.3": _4_3}


def api_release(name: str) -> ApiRelease:
    """Return the management API of a release, such as ``4.3``."""
    return _RELEASES[name]
