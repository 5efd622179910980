"""Words that others wrote are shown without what looks like a secret; all else is as it is."""

from __future__ import annotations

from offloader.service.worker.redacted_words import redacted_words

HASH = "ab" * 32


def test_messages_lose_queries_logins_tokens_and_hashes() -> None:
    """At any depth, in lists too."""
    document = {
        "message": "https://u:pw@host/a.parquet?sig=abc said no",
        "problems": [{"hint": "send Bearer abcdef123456", "code": "x"}, {"reason": HASH}],
        "config": {"location": "https://host/p?token=abc"},
    }
    assert redacted_words(document) == {
        "message": "https://[redacted]@host/a.parquet?[redacted] said no",
        "problems": [{"hint": "send Bearer [redacted]", "code": "x"}, {"reason": "[redacted]"}],
        "config": {"location": "https://host/p?[redacted]"},
    }


def test_what_is_no_text_of_others_stays() -> None:
    """Ids, numbers and nulls, whatever they look like."""
    document = {"snapshot_id": HASH, "at": None, "rows": 5, "message": "", "path": ["a", "b"]}
    assert redacted_words(document) == document
