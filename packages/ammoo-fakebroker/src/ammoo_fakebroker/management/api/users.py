"""Users: their tags, passwords, permissions and limits."""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING, Any

from ...auth.password_hashes import ALGORITHMS, SHA_256, hash_password
from ...auth.users import User
from ..call import Call, Role, changed, done, json_response, read_tags
from ..lists import list_response, with_columns
from ..refusals import bad_request, not_found
from ..releases import SINCE_4_0
from ..route import Route, Routes
from .limits import limit_items, limit_values, read_limits, with_limit

if TYPE_CHECKING:
    from ..http import Response
    from ..releases import ApiRelease

__all__ = ["ROUTES", "whoami_item"]

_LIMITS = {"max-connections": "max_connections", "max-channels": "max_channels"}


# -- looking -----------------------------------------------------------------------------------


def who_am_i(call: Call) -> Response:
    """Show the user who makes the request."""
    return json_response(whoami_item(call.user, call.release))


def whoami_item(user: User, release: ApiRelease) -> dict[str, Any]:
    """Return what the API says to a user of itself."""
    place = {"is_internal_user": True} if release.says_where_users_are else {}
    return {"name": user.name, "tags": list(user.tags), **place}


def list_users(call: Call) -> Response:
    """List the users."""
    return list_response(map(user_item, call.node.users), call.request.query)


def list_users_without_permissions(call: Call) -> Response:
    """List the users who may open no virtual host."""
    idle = [user for user in call.node.users if not user.permissions]
    return list_response(map(user_item, idle), call.request.query)


def show_user(call: Call) -> Response:
    """Show a user."""
    return json_response(with_columns([user_item(_user(call))], call.request.query)[0])


def _user(call: Call) -> User:
    if call.names["user"] not in call.node.users:
        raise not_found()
    return call.node.users[call.names["user"]]


def user_item(user: User) -> dict[str, Any]:
    """Return the API's object for a user."""
    return {
        "hashing_algorithm": user.hashing_algorithm,
        "limits": limit_values(user.limits, _LIMITS),
        "name": user.name,
        "password_hash": _hash_of(user),
        "tags": list(user.tags),
    }


def _hash_of(user: User) -> str:
    if user.password_hash is not None:
        return user.password_hash
    return (
        ""
        if user.password is None
        else hash_password(user.password, algorithm=user.hashing_algorithm)
    )


# -- changing ----------------------------------------------------------------------------------


def put_user(call: Call) -> Response:
    """Add a user, or change the password and the tags of an existing one."""
    body = call.body()
    if "tags" not in body:
        raise bad_request("tags_not_present")
    password = body.get("password") or None
    if not isinstance(password, str | None):
        raise bad_request(["not_string", "password"])
    if password and body.get("password_hash"):
        raise bad_request("both_password_and_password_hash_are_provided")
    name = call.names["user"]
    is_new = name not in call.node.users
    algorithm = _read_algorithm(body.get("hashing_algorithm") or SHA_256)
    tags = tuple(dict.fromkeys(read_tags(body["tags"])))
    password_hash = _read_hash(body.get("password_hash"))
    user = call.node.users.add(name, password)
    user.password_hash = password_hash if user.password is None else None
    user.hashing_algorithm = algorithm
    user.tags = tags
    return changed(is_new=is_new)


def _read_algorithm(algorithm: Any) -> str:
    if algorithm not in ALGORITHMS:
        raise bad_request(f"Unknown hashing algorithm {algorithm!r}")
    return str(algorithm)


def _read_hash(password_hash: Any) -> str | None:
    if not password_hash:
        return None
    try:
        b64decode(password_hash, validate=True)
    except (TypeError, ValueError):
        raise bad_request(["not_base64", password_hash]) from None
    return str(password_hash)


def delete_user(call: Call) -> Response:
    """Delete a user, and close the user's connections."""
    call.node.delete_user(_user(call).name)
    return done()


def delete_users(call: Call) -> Response:
    """Delete several users; unknown names are ignored."""
    for name in call.body("users")["users"]:
        if name in call.node.users:
            call.node.delete_user(name)
    return done()


def show_hash(call: Call) -> Response:
    """Show a hash of a password, with a random salt."""
    return json_response({"ok": hash_password(call.names["password"])})


# -- limits ------------------------------------------------------------------------------------


def list_limits(call: Call) -> Response:
    """List the limits of users who have any."""
    users = [_user(call)] if "user" in call.names else list(call.node.users)
    return json_response(limit_items("user", {each.name: each.limits for each in users}, _LIMITS))


def set_limit(call: Call) -> Response:
    """Set one limit of a user."""
    user = _limited_user(call)
    value = read_limits(call, _LIMITS, "user-limits", validates_parameters=False)
    user.limits = with_limit(user.limits, _LIMITS[call.names["limit"]], value)
    return done()


def clear_limit(call: Call) -> Response:
    """Remove one limit of a user."""
    user = _limited_user(call)
    field = _LIMITS.get(call.names["limit"])
    if field is not None:
        user.limits = with_limit(user.limits, field, None)
    return done()


def _limited_user(call: Call) -> User:
    name = call.names["user"]
    if name not in call.node.users:
        raise bad_request(["no_such_user", name])
    return call.node.users[name]


ROUTES: Routes = {
    "whoami": Route({"GET": who_am_i}),
    "auth/hash_password/:password": Route(
        {"GET": show_hash}, Role.ADMINISTRATOR, releases=SINCE_4_0
    ),
    "users": Route({"GET": list_users}, Role.ADMINISTRATOR),
    "users/bulk-delete": Route({"POST": delete_users}, Role.ADMINISTRATOR),
    "users/without-permissions": Route({"GET": list_users_without_permissions}, Role.ADMINISTRATOR),
    "users/:user": Route(
        {"GET": show_user, "PUT": put_user, "DELETE": delete_user}, Role.ADMINISTRATOR
    ),
    "user-limits": Route({"GET": list_limits}, Role.ADMINISTRATOR),
    "user-limits/:user": Route({"GET": list_limits}, Role.ADMINISTRATOR),
    "user-limits/:user/:limit": Route(
        {"PUT": set_limit, "DELETE": clear_limit}, Role.ADMINISTRATOR
    ),
}
