"""The site's search leads from a question, in the words of issues and forums, to its page.

A page is found by its words: so a page has the words of the questions that it answers, in its
text or among its keywords (`html_meta` at its top). docs/search.js ranks the pages, and on the built
site `hatch run docs:ask` looks whether the page is among the first three.
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
QUESTIONS = [line.split("\t") for line in (DOCS / "questions.tsv").read_text().splitlines() if line]


def words_of(page: str) -> str:
    """Return the text of a page with the examples that it includes, in lower case."""
    path = DOCS / f"{page}.md"
    text = path.read_text()
    examples = [(path.parent / name).read_text() for name in INCLUDED.findall(text)]
    return "\n".join([text, *examples]).lower()


def stem(word: str) -> str:
    """Return what a word's forms begin with: roughly what Sphinx indexes."""
    return re.sub(r"(e|es|s|ed|ing|y|ies)$", "", word)


def missing_words(page: str, question: str) -> list[str]:
    """Return the words of a question that a page does not have."""
    asked = [word for word in WORD.findall(question.lower()) if word not in NOT_INDEXED]
    words = words_of(page)
    return [word for word in asked if not re.search(rf"\b{stem(word)}", words)]


@pytest.mark.parametrize(("pages", "question"), QUESTIONS, ids=lambda text: text)
def test_page_has_the_words_of_a_question_that_it_answers(pages: str, question: str) -> None:
    missing = {page: missing_words(page, question) for page in pages.split("|")}

    assert [] in missing.values(), missing
