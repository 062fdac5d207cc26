"""The table of the documented API: for each parameter and attribute, the tests that show its effect.

The tests run on the fake and on real brokers, unless they stand in `tests.client`. This file
makes sure that nothing documented is missing here and that the tests named exist.
"""

import importlib

import pytest

from tests.contract.test_names import ATTRIBUTES, PARAMETERS

CHAPTER_1 = "tests.contract.test_chapter_1"
CLOSING = "tests.contract.test_closing"
CONSUMING = "tests.contract.test_consuming"
HEARTBEATS = "tests.contract.test_heartbeats"
MESSAGES = "tests.contract.test_documented_messages"
PARAMETERS_ = "tests.contract.test_documented_parameters"
PUBLISHING = "tests.contract.test_publishing"
TLS = "tests.contract.test_tls"
OPENING = "tests.client.test_opening"
URI = "tests.client.test_uri"


def _in(module: str, **shown_by: str) -> dict[str, tuple[str, ...]]:
    return {
        name: tuple(f"{module}.test_{test}" for test in tests.split())
        for name, tests in shown_by.items()
    }


TABLE: dict[str, dict[str, tuple[str, ...]]] = {
    "connect": {
        **_in(
            PARAMETERS_,
            host="connect_by_keywords",
            port="connect_by_keywords",
            virtualhost="connect_by_keywords connect_virtualhost",
            auth="connect_auth",
            login="connect_by_keywords connect_login_and_password",
            password="connect_by_keywords connect_login_and_password",
            frame_max="connect_limits",
            loop="connect_by_keywords",
            connection_factory="connect_connection_factory"
            " connect_connection_factory_may_be_a_function",
        ),
        **_in(CHAPTER_1, url="connect"),
        **_in(
            TLS,
            ssl="ssl_forces_encryption_on_and_off",
            ssl_context="client_certificate_is_the_login",
        ),
        **_in(
            HEARTBEATS,
            heartbeat_interval="silent_broker_is_noticed_within_two_intervals"
            " heartbeats_are_sent_where_nothing_else_is no_heartbeats_if_the_user_wants_none",
        ),
    },
    "Connection.channel": _in(
        PARAMETERS_,
        prefetch_size="channel_prefetch_size",
        prefetch_count="channel_prefetch_count",
    ),
    "Channel.consume": _in(
        PARAMETERS_,
        queue_name="consume_priority",
        no_ack="consume_no_ack",
        no_local="consume_no_local_is_taken",
        exclusive="consume_exclusive",
        priority="consume_priority",
    ),
    "Channel.get": _in(PARAMETERS_, queue_name="get", no_ack="get_no_ack"),
    "Channel.ack": _in(PARAMETERS_, delivery_tag="ack_by_tag_and_multiple"),
    "Channel.reject": {
        **_in(PARAMETERS_, delivery_tag="reject"),
        **_in(MESSAGES, requeue="reject_may_dead_letter"),
    },
    "Channel.qos": _in(
        PARAMETERS_,
        prefetch_size="what_rabbitmq_does_not_implement",
        prefetch_count="qos_prefetch_count",
        global_="qos_global",
    ),
    "Channel.recover": _in(
        PARAMETERS_, requeue="ack_by_tag_and_multiple what_rabbitmq_does_not_implement"
    ),
    "Channel.publish": {
        **_in(PARAMETERS_, immediate="publish_immediate", route="exchange_types_route"),
        **_in(
            MESSAGES,
            exchange_name="attributes_of_messages publish_to_a_missing_exchange",
            body="publish_body publish_body_is_needed_once",
            json="publish_body publish_body_is_needed_once",
            mandatory="publish_mandatory",
            encoding="publish_body",
            correlation_id="publish_properties_arrive",
            reply_to="publish_properties_arrive reply",
            expiration="publish_properties_arrive publish_expiration",
            cc="publish_cc_and_bcc",
            bcc="publish_cc_and_bcc",
            delivery_mode="publish_properties_arrive",
            timestamp="publish_properties_arrive",
            content_encoding="publish_body publish_properties_arrive",
            content_type="publish_body publish_properties_arrive",
            message_id="publish_properties_arrive",
            type_="publish_properties_arrive",
            type="publish_type_by_its_other_name",
            user_id="publish_properties_arrive publish_user_id_of_somebody_else",
            app_id="publish_properties_arrive",
        ),
        **_in(PARAMETERS_, priority="declare_queue_max_priority"),
    },
    "Channel.declare_exchange": _in(
        PARAMETERS_,
        exchange_name="exchange_types_route",
        exchange_type="exchange_types_route",
        durable="declare_exchange_flags_are_part_of_it",
        auto_delete="declare_exchange_auto_delete",
        alternate_exchange_name="declare_exchange_alternate_exchange_name",
    ),
    "Channel.delete_exchange": _in(
        PARAMETERS_, exchange_name="delete_exchange", if_unused="delete_exchange_if_unused"
    ),
    "Channel.assert_exchange_exists": _in(
        PARAMETERS_, exchange_name="declare_exchange_auto_delete delete_exchange"
    ),
    "Channel.bind_exchange": _in(
        PARAMETERS_,
        destination="bind_and_unbind_exchange",
        source="bind_and_unbind_exchange",
        routing_key="bind_and_unbind_exchange",
    ),
    "Channel.declare_queue": _in(
        PARAMETERS_,
        queue_name="declare_queue_answers_with_counts declare_queue_exclusive",
        exclusive="declare_queue_exclusive",
        durable="declare_queue_durable",
        auto_delete="declare_queue_auto_delete",
        ttl="declare_queue_ttl_and_dead_lettering",
        expires="declare_queue_expires",
        max_length="declare_queue_limits",
        max_length_bytes="declare_queue_limits",
        dead_letter_exchange="declare_queue_ttl_and_dead_lettering",
        dead_letter_routing_key="declare_queue_ttl_and_dead_lettering",
        max_priority="declare_queue_max_priority",
    ),
    "Channel.delete_queue": _in(
        PARAMETERS_,
        queue_name="delete_queue",
        if_unused="delete_queue_if_unused",
        if_empty="delete_queue_if_empty",
    ),
    "Channel.purge_queue": _in(PARAMETERS_, queue_name="purge_queue"),
    "Channel.bind_queue": _in(
        PARAMETERS_,
        queue_name="exchange_types_route",
        exchange_name="exchange_types_route",
        routing_key="exchange_types_route",
    ),
    "Channel.unbind_queue": _in(
        PARAMETERS_,
        queue_name="declare_exchange_auto_delete",
        exchange_name="declare_exchange_auto_delete",
        routing_key="binding_to_a_headers_exchange_is_undone_by_the_same_headers",
    ),
    "Channel.assert_queue_exists": _in(PARAMETERS_, queue_name="assert_queue_exists"),
    "Message.decode": _in(MESSAGES, encoding="decode_and_json encoding_of_the_channel"),
    "Message.json": _in(MESSAGES, encoding="decode_and_json"),
    "ExpectedMessage.reject": _in(MESSAGES, requeue="reject_may_dead_letter"),
    "ExpectedMessage.reply": _in(MESSAGES, body="reply"),
    "PasswordAuthentication": _in(PARAMETERS_, login="connect_auth", password="connect_auth"),
    "AMQPlainAuth": _in(PARAMETERS_, login="connect_auth", password="connect_auth"),
    "SaslPlainAuth": {
        **_in(PARAMETERS_, authcid="connect_auth", passwd="connect_auth"),
        **_in(OPENING, authzid="plain_may_name_somebody_else_to_be"),
    },
    # Their parameters are what their implementations are given.
    "AuthenticationMechanism.build_start_ok_response": _in(
        OPENING, encoding="challenges_are_answered", rabbitmq="challenges_are_answered"
    ),
    "AuthenticationMechanism.challenge": _in(OPENING, challenge="challenges_are_answered"),
    "Authentication.select_mechanism": _in(OPENING, server_mechanisms="challenges_are_answered"),
}

SHOWN_ATTRIBUTES: dict[str, dict[str, tuple[str, ...]]] = {
    "Message": {
        **_in(
            MESSAGES,
            body="publish_body",
            exchange_name="attributes_of_messages",
            routing_key="attributes_of_messages",
            properties="publish_properties_arrive",
            decode="decode_and_json",
            json="decode_and_json",
        )
    },
    "ReturnMessage": _in(MESSAGES, reply_code="publish_mandatory", reply_text="publish_mandatory"),
    "ExpectedMessage": {
        **_in(MESSAGES, delivery_tag="attributes_of_messages", reply="reply"),
        **_in(
            PARAMETERS_,
            redelivered="consume_unread_and_unsettled_messages_come_back",
            ack="settling_twice_raises_and_the_channel_goes_on",
            reject="reject",
        ),
    },
    "DeliverMessage": _in(MESSAGES, consumer_tag="attributes_of_messages"),
    "GetMessage": _in(MESSAGES, message_count="attributes_of_messages"),
    "Connection": {
        **_in(
            PARAMETERS_,
            heartbeat_interval="connect_limits",
            frame_max="connect_limits",
            entered="connect_by_keywords",
        ),
        **_in(CLOSING, closing_exc="close_twice_and_at_once close_from_a_handler"),
        **_in(OPENING, closing="connection_closing_exc_after_clean_close"),
    },
    "Channel": {
        **_in("tests.contract.test_channels", channel_id="no_more_channels_than_the_broker_allows"),
        **_in(MESSAGES, body_encoding="encoding_of_the_channel"),
        **_in(PARAMETERS_, closing_exc="error_of_a_channel_ends_that_channel_alone"),
        **_in(
            "tests.client.test_closing",
            entered="channel_closing_exc_after_clean_close",
            closing="channel_closing_exc_after_clean_close",
        ),
    },
    "Consumer": _in(CONSUMING, closing_exc="consuming_again_inside_a_cancel_notification"),
}


def test_every_documented_parameter_is_in_the_table() -> None:
    documented = {
        function.__qualname__: {*positional, *keyword}
        for function, (positional, keyword) in PARAMETERS.items()
        if positional or keyword
    }

    assert documented == {name: set(parameters) for name, parameters in TABLE.items()}


def test_every_documented_attribute_is_in_the_table() -> None:
    documented = {cls.__name__: set(attributes.split()) for cls, _, attributes in ATTRIBUTES}

    assert documented == {name: set(attributes) for name, attributes in SHOWN_ATTRIBUTES.items()}


@pytest.mark.parametrize(
    "test",
    sorted(
        {
            test
            for table in (TABLE, SHOWN_ATTRIBUTES)
            for rows in table.values()
            for tests in rows.values()
            for test in tests
        }
    ),
)
def test_test_in_the_table_exists(test: str) -> None:
    module, _, name = test.rpartition(".")

    assert callable(getattr(importlib.import_module(module), name))
