"""The site's search leads from a question, in the words of issues and forums, to its page.

A page is found by its words: so each page has the words of the questions that it answers, in its
text or among its keywords (`html_meta` at its top). docs/search.js ranks the pages.
"""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
INCLUDED = re.compile(r"^```\{literalinclude\} (.+)$", re.MULTILINE)
WORD = re.compile(r"[a-z0-9_]+")
NOT_INDEXED = frozenset(
    [
        "a",
        "an",
        "and",
        "be",
        "but",
        "for",
        "from",
        "i",
        "in",
        "is",
        "it",
        "my",
        "of",
        "on",
        "one",
        "the",
        "to",
        "was",
        "with",
        "without",
    ]
)
QUESTIONS = [
    ("howto/reconnect", "how to reconnect automatically"),
    ("howto/reconnect", "reconnect backoff delay"),
    ("howto/reconnect", "cluster multiple hosts"),
    ("failures/consumer-stopped", "reconnected but consumer receives nothing"),
    ("failures/consumer-stopped", "queue deleted consumer"),
    ("howto/stalls", "missed heartbeats long running task"),
    ("howto/stalls", "heartbeat blocking call"),
    ("failures/connection-lost", "connection refused docker compose"),
    ("failures/connection-lost", "ACCESS_REFUSED login was refused"),
    ("howto/channels", "connection pool"),
    ("howto/channels", "one channel per task"),
    ("howto/threads", "thread safe"),
    ("howto/threads", "fork multiprocessing"),
    ("howto/threads", "attached to a different loop"),
    ("failures/mistakes", "event loop is closed"),
    ("howto/tls", "client certificate"),
    ("howto/connect", "vhost slash url"),
    ("howto/connect", "special characters in password"),
    ("howto/credentials", "oauth2 token expired"),
    ("howto/deploy", "health check"),
    ("howto/publish", "publisher confirms"),
    ("failures/publish-failed", "message lost unroutable"),
    ("failures/publish-failed", "connection lost while publishing"),
    ("howto/load-rows", "publish many messages bulk"),
    ("understand/performance", "slow publish performance"),
    ("understand/guarantees", "message lost after restart"),
    ("understand/guarantees", "exactly once duplicates"),
    ("howto/blocked", "publish hangs"),
    ("howto/large", "maximum message size"),
    ("howto/messages", "json serialization"),
    ("learn/2-work-queues", "prefetch count one worker gets all messages"),
    ("howto/work", "limit concurrency"),
    ("howto/work", "message order"),
    ("howto/work", "exception in handler"),
    ("howto/work", "graceful shutdown SIGTERM"),
    ("howto/work", "consume from multiple queues"),
    ("howto/work", "get with timeout wait for message"),
    ("howto/retries", "redelivered forever"),
    ("howto/retries", "retry with delay backoff"),
    ("failures/channel-closed", "unknown delivery tag"),
    ("failures/channel-closed", "delivery acknowledgement timed out"),
    ("failures/channel-closed", "inequivalent arg"),
    ("howto/topology", "message count of queue"),
    ("howto/topology", "dead letter exchange"),
    ("understand/concepts", "exchange queue binding"),
    ("howto/delays", "delayed message"),
    ("learn/6-rpc", "rpc reply_to"),
    ("understand/queue-types", "priority queue"),
    ("learn/7-streams", "stream offset"),
    ("howto/observe", "prometheus opentelemetry metrics"),
    ("testing/index", "test without rabbitmq"),
    ("testing/wait", "wait for message in test without sleep"),
    ("testing/faults", "simulate connection loss"),
    ("testing/faults", "simulate nack"),
    ("testing/history", "assert message was published"),
    ("understand/fidelity", "differences to real RabbitMQ"),
    ("wire/proxies", "delay confirms proxy"),
    ("wire/command-line", "pcap capture decode"),
    ("move/aio-pika", "aio-pika migration"),
]


def words_of(page: str) -> str:
    """Return the text of a page with the examples that it includes, in lower case."""
    path = DOCS / f"{page}.md"
    text = path.read_text()
    examples = [(path.parent / name).read_text() for name in INCLUDED.findall(text)]
    return "\n".join([text, *examples]).lower()


def stem(word: str) -> str:
    """Return what a word's forms begin with: roughly what Sphinx indexes."""
    return re.sub(r"(e|es|s|ed|ing|y|ies)$", "", word)


@pytest.mark.parametrize(("page", "question"), QUESTIONS, ids=lambda text: text)
def test_page_has_the_words_of_a_question_that_it_answers(page: str, question: str) -> None:
    asked = [word for word in WORD.findall(question.lower()) if word not in NOT_INDEXED]
    words = words_of(page)

    assert [] == [word for word in asked if not re.search(rf"\b{stem(word)}", words)]
