"""Faults over HTTP: listing them, making them from JSON, and removing them.

The answer to the removal of a fault that never struck is 409 with the reason: the test should fail.
A fault with the option ``optional`` need not strike.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ..management.json_bodies import json_object, json_response
from ..management.refusals import Refusal, bad_request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..faults.fault import Fault
    from ..management.http import Request, Response
    from .call import ControlCall
    from .ports import ControlledBroker

__all__ = ["add_faults", "clear_faults", "list_faults", "make_fault", "remove_fault", "show_fault"]


def list_faults(call: ControlCall) -> Response:
    """List the faults in force, newest first."""
    return json_response([_item(fault) for fault in call.broker.faults.active])


def show_fault(call: ControlCall) -> Response:
    """Show a fault, and how often it struck."""
    return json_response(_item(_fault(call)))


def add_faults(call: ControlCall) -> Response:
    """Make a fault of an object, or several of a list: ``do`` names it, the others are options."""
    if call.request.body.lstrip()[:1] == b"[":
        made = _make_all(call.broker, _list_of_objects(call.request))
        return json_response([_item(fault) for fault in made], HTTPStatus.CREATED)
    fault = _make(call.broker, json_object(call.request))
    return json_response(_item(fault), HTTPStatus.CREATED)


def _list_of_objects(request: Request) -> list[dict[str, Any]]:
    try:
        decoded = json.loads(request.body)
    except ValueError:
        raise bad_request("not_json") from None
    if not all(isinstance(each, dict) for each in decoded):
        raise bad_request("expected an object, or a list of objects")
    faults: list[dict[str, Any]] = decoded
    return faults


def make_fault(broker: ControlledBroker, described: Mapping[str, Any]) -> Fault:
    """Make a fault of plain data.

    Args:
        broker: The broker.
        described: The name of the fault, under the key ``do``, and its options.

    Raises:
        LookupError: An option names something that the broker does not have.
        ValueError: The data do not describe a fault; the text gives the reason.
    """
    if "do" not in described:
        raise ValueError("a fault needs the key 'do': its name, such as 'nack_publishes'")
    options = {name: value for name, value in described.items() if name != "do"}
    return broker.faults.add(str(described["do"]), options)


def _make_all(broker: ControlledBroker, described: list[dict[str, Any]]) -> list[Fault]:
    """Make all faults of a list, or none if one of them is invalid."""
    made: list[Fault] = []
    try:
        for each in described:
            made.append(_make(broker, each))
    except Refusal:
        for fault in made:
            _remove(fault)
        raise
    return made


def _make(broker: ControlledBroker, described: Mapping[str, Any]) -> Fault:
    try:
        return make_fault(broker, described)
    except (LookupError, ValueError) as error:
        raise bad_request(str(error)) from None


def remove_fault(call: ControlCall) -> Response:
    """Remove a fault, and answer how often it struck."""
    fault = _fault(call)
    problem = _remove(fault)
    if problem:
        raise Refusal(HTTPStatus.CONFLICT, "never_struck", problem)
    return json_response(_item(fault))


def clear_faults(call: ControlCall) -> Response:
    """Remove all faults, and answer how often each struck."""
    faults = call.broker.faults.active
    problems = list(filter(None, map(_remove, faults)))
    if problems:
        raise Refusal(HTTPStatus.CONFLICT, "never_struck", "\n".join(problems))
    return json_response([_item(fault) for fault in faults])


def _remove(fault: Fault) -> str:
    """Remove a fault; return the reason if it never struck, else an empty text."""
    try:
        fault.__exit__(None, None, None)
    except AssertionError as error:
        return str(error)
    return ""


def _fault(call: ControlCall) -> Fault:
    faults, number = call.broker.faults.active, call.names["id"]
    for fault in faults:
        if str(fault.ordinal) == number:
            return fault
    known = ", ".join(str(fault.ordinal) for fault in faults) or "none"
    raise Refusal(
        HTTPStatus.NOT_FOUND, "not_found", f"there is no fault {number}; in force: {known}"
    )


def _item(fault: Fault) -> dict[str, Any]:
    return {
        "id": fault.ordinal,
        "do": fault.name,
        **fault.options,
        "count": fault.count,
        "matched": fault.matched,
    }
