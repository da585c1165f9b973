"""Conditional requests and ranges."""

import pytest

from libra.serving.conditions import asks_for_ranges, is_unchanged

HAS = {"etag": '"abc"', "last-modified": "Sun, 06 Nov 1994 08:49:37 GMT"}


@pytest.mark.parametrize(
    ("asked", "unchanged"),
    [
        ({}, False),
        ({"if-none-match": '"abc"'}, True),
        ({"if-none-match": 'W/"abc"'}, True),
        ({"if-none-match": '"x", W/"abc"'}, True),
        ({"if-none-match": "*"}, True),
        ({"if-none-match": '"x"'}, False),
        ({"if-none-match": "abc"}, False),
        ({"if-none-match": ""}, False),
        ({"if-modified-since": "Sun, 06 Nov 1994 08:49:37 GMT"}, True),
        ({"if-modified-since": "Sun, 06 Nov 1994 08:49:36 GMT"}, False),
        ({"if-modified-since": "Mon, 07 Nov 1994 08:49:37 GMT"}, True),
        ({"if-modified-since": "Sun, 06 Nov 1994 08:49:37"}, False),  # of no zone
        ({"if-modified-since": "yesterday"}, False),
        ({"if-modified-since": "Sun, 06 Nov 99999 08:49:37 GMT"}, False),
        ({"if-none-match": '"x"', "if-modified-since": "Mon, 07 Nov 1994 08:49:37 GMT"}, False),
    ],
)
def test_unchanged(asked: dict[str, str], unchanged: bool) -> None:
    assert is_unchanged(asked, HAS) is unchanged


@pytest.mark.parametrize(
    ("value", "follow"),
    [
        *(("bytes=0-1", True), ("bytes=0-", True), ("bytes=-5", True)),
        *(("bytes=0-1, 3-4,-1", True), ("bytes= 0-1", True)),
        *(("bytes=", False), ("bytes=-", False), ("bytes=a-b", False), ("rows=0-1", False)),
        *(("0-1", False), ("bytes=0-1;2-3", False), ("bytes=" + "9" * 5000 + "-", False)),
    ],
)
def test_ranges(value: str, follow: bool) -> None:
    assert asks_for_ranges(value) is follow
