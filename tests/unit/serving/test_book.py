"""The file of services."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.errors import Invalid
from libra.model.webservice import Json, Local, NodeInfo, Static
from libra.serving.book import Book, Node, parse_book

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
services: st.SearchStrategy[Local] = st.one_of(
    st.builds(
        Json,
        path=texts,
        text=texts,
        prettify=st.booleans(),
        allow_cross_origin=st.booleans(),
        discourage_caching=st.booleans(),
    ),
    st.builds(
        Static,
        path=texts,
        directory=texts,
        default_file=st.none() | texts,
        listing=st.booleans(),
        cache_seconds=st.none() | st.integers(0, 10**9),
        mime_types=st.lists(st.tuples(texts, texts), max_size=3).map(tuple),
    ),
    st.builds(NodeInfo, path=texts),
)
books = st.builds(
    Book,
    services=st.dictionaries(texts, services, max_size=4),
    node=st.builds(Node, name=texts, proxy=st.none() | texts),
    directories=st.lists(texts, max_size=3).map(tuple),
)


@given(books)
def test_what_is_written_is_read(book: Book) -> None:
    again = parse_book(book.render())
    assert again == book
    assert again.digest == book.digest


@given(books, books)
def test_a_digest_is_of_everything(one: Book, other: Book) -> None:
    assert (one.digest == other.digest) == (one == other)


@given(st.binary(max_size=50))
def test_what_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(Invalid):
        parse_book(data)


@pytest.mark.parametrize(
    "change",
    [
        {"digest": "0"},
        {"directories": ["/"]},
        {"services": {"a /": {"type": "exec", "path": "/"}}},
        {"services": {"a /": {"type": "nodeinfo"}}},
        {"services": {"a /": {"type": "nodeinfo", "path": "/", "more": 1}}},
        {"services": []},
        {"node": {"secret": "x"}},
    ],
)
def test_what_somebody_changed_is_refused(change: dict[str, object]) -> None:
    fields = json.loads(Book(services={"a /": NodeInfo(path="/")}).render())
    with pytest.raises(Invalid, match="the services"):
        parse_book(json.dumps(fields | change).encode())
