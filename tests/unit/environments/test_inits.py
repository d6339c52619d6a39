"""What an init that failed is told as, whatever the function says of it."""

from __future__ import annotations

import pytest

from alonzo.environments.inits import InitFailure


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (b'{"errorMessage": "no such module"}', "no such module"),
        (b'{"errorMessage": 7}', "7"),
        (b"[" * 100_000, "Runtime.Unknown"),
        (b'{"errorType": "E"}', "Runtime.Unknown"),
        (b"7", "Runtime.Unknown"),
        (b"\xff", "Runtime.Unknown"),
        (b"", "Runtime.Unknown"),
    ],
)
def test_the_functions_own_words_are_told_if_it_has_any(document: bytes, text: str) -> None:
    assert InitFailure("Runtime.Unknown", document).text == text


def test_words_that_are_no_text_can_be_stored_all_the_same() -> None:
    text = InitFailure("E", b'{"errorMessage": "half \\ud800 a pair"}').text
    assert text.encode() == b"half ? a pair"


def test_words_without_end_are_cut() -> None:
    document = b'{"errorMessage": "%b"}' % (b"x" * 6_000_000)
    assert len(InitFailure("E", document).text) < 10_000
