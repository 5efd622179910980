"""Content codings: what is compressed, that it reads back, and that it is always the same."""

from __future__ import annotations

import gzip
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from offloader.service.worker.coding import CODING_VERSIONS, LEAST_BYTES, compress

ROWS = b'{"account_id":"acct_cedar_53","api_calls_total":522843},' * 200


def decoded(coded: bytes, coding: str) -> bytes:
    """Undo a coding with the libraries a caller has."""
    if coding == "gzip":
        return gzip.decompress(coded)
    return zstandard.ZstdDecompressor().decompress(coded) if coding == "zstd" else coded


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_a_body_reads_back_smaller(coding: str) -> None:
    """Rows of JSON shrink to less than a tenth, and nothing is lost."""
    coded, applied = compress(ROWS, coding)
    assert applied == coding
    assert len(coded) < len(ROWS) / 10
    assert decoded(coded, applied) == ROWS


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_a_tiny_body_stays_as_it_is(coding: str) -> None:
    """The limit is exact: one byte less than it is not worth the work."""
    assert compress(b"a" * (LEAST_BYTES - 1), coding) == (b"a" * (LEAST_BYTES - 1), "")
    assert compress(b"a" * LEAST_BYTES, coding)[1] == coding
    assert compress(b"", coding) == (b"", "")


@given(st.binary(max_size=3000), st.sampled_from(["", "gzip", "zstd"]))
def test_a_body_never_grows(body: bytes, coding: str) -> None:
    """What a coding cannot make smaller is sent as it is, and said to be."""
    coded, applied = compress(body, coding)
    assert applied in ("", coding)
    assert (len(coded) < len(body)) if applied else (coded == body)
    assert decoded(coded, applied) == body


def test_noise_is_not_compressed() -> None:
    """Bytes without a pattern of more than the least size stay as they are."""
    noise = zstandard.ZstdCompressor(level=19).compress(
        b"".join(
            zlib.crc32(bytes([a, b])).to_bytes(4, "little") for a in range(64) for b in range(64)
        )
    )
    assert len(noise) > LEAST_BYTES
    assert [compress(noise, coding) for coding in ("gzip", "zstd")] == [(noise, "")] * 2


def test_no_coding_is_the_body_itself() -> None:
    """Not even a copy."""
    assert compress(ROWS, "")[0] is ROWS


def test_an_unknown_coding_is_an_error() -> None:
    """Nothing but what is negotiated gets here."""
    with pytest.raises(ValueError, match="use gzip or zstd"):
        compress(ROWS, "br")


def test_gzip_has_no_time_and_no_name() -> None:
    """RFC 1952, 2.3: flags 0 and mtime 0, so that the same body is the same bytes on every host."""
    coded = compress(ROWS, "gzip")[0]
    assert (coded[:4], coded[4:8]) == (b"\x1f\x8b\x08\x00", b"\x00\x00\x00\x00")


def test_zstd_states_its_size_and_needs_no_dictionary() -> None:
    """RFC 8878, 3.1.1.1: a reader knows how much to allocate."""
    parameters = zstandard.get_frame_parameters(compress(ROWS, "zstd")[0])
    assert (parameters.content_size, parameters.dict_id) == (len(ROWS), 0)


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_threads_make_the_same_bytes(coding: str) -> None:
    """A compressor is never shared: bodies coded at the same time do not mix."""
    bodies = [ROWS[place:] * 3 for place in range(40)]
    with ThreadPoolExecutor(4) as pool:
        coded = list(pool.map(lambda body: compress(body, coding), bodies))
    assert coded == [compress(body, coding) for body in bodies]
    assert [decoded(*pair) for pair in coded] == bodies


def test_a_version_names_library_and_level() -> None:
    """The ETag of a coded body changes with whatever may change its bytes."""
    assert CODING_VERSIONS["gzip"] == f"gzip/{zlib.ZLIB_RUNTIME_VERSION}/1"
    version = ".".join(map(str, zstandard.ZSTD_VERSION))
    assert CODING_VERSIONS["zstd"] == f"zstd/{version}/1"
