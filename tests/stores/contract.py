"""The rules every backend keeps, whatever it is made of.

A backend's test module takes them all by a class of its own:

    class TestLocal(StoreContract):
        @pytest.fixture
        def subject(self, tmp_path): return Folder(tmp_path)
"""

from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from offloader.stores.checksum import new_hash
from offloader.stores.store import (
    READ_BYTES,
    ObjectChanged,
    ObjectExists,
    ObjectMissing,
    StoreDenied,
)
from tests.stores.subject import Subject, Watched, code_of, keys, only_if, part, whole


class StoreContract:
    """One suite for every store; a subclass gives the fixture `subject`, fresh for each test."""

    def test_stat_tells_size_key_and_when_it_was_made(self, subject: Subject) -> None:
        """An object is told with its key, its size and the time of its making."""
        subject.put("folder/one", b"12345")
        found = subject.store.stat("folder/one")
        assert (found.key, found.size_bytes) == ("folder/one", 5)
        assert 1.7e9 < found.modified_at < 4e9

    def test_a_missing_object_is_missing(self, subject: Subject) -> None:
        """A key under which nothing lies raises ObjectMissing, also where others begin so."""
        subject.put("folder/one", b"1")
        for key in ("folder/two", "folder", "folder/one/more", "folder/on"):
            assert code_of(ObjectMissing, subject.store.stat, key) == "object_missing"

    def test_a_key_no_store_can_have_is_refused(self, subject: Subject) -> None:
        """An empty key, a NUL and half a character are refused before the store is asked."""
        for key in ("", "a\0b", "a\ud800"):
            assert code_of(StoreDenied, subject.store.stat, key) == "key_invalid"

    def test_a_missing_bucket_is_no_missing_object(self, subject: Subject) -> None:
        """A bucket or folder that does not exist is told as such, and not tried again."""
        elsewhere = subject.elsewhere()
        if elsewhere is None or not subject.can_list:
            pytest.skip("there is no such thing as this store's bucket")
        assert code_of(StoreDenied, elsewhere.list, "", most=9) == "bucket_missing"
        if subject.can_write:
            content = io.BytesIO(b"1")
            assert code_of(StoreDenied, elsewhere.write, "a", content, 1) == "bucket_missing"

    def test_odd_keys_are_just_keys(self, subject: Subject) -> None:
        """Blanks, signs of URLs and other alphabets in a key mean nothing but themselves."""
        for number, key in enumerate(subject.odd_keys):
            subject.put(key, b"%d" % number)
        for number, key in enumerate(subject.odd_keys):
            found = subject.store.stat(key)
            assert (found.key, whole(subject.store, found)) == (key, b"%d" % number)
        if subject.can_list:
            assert keys(subject.store) == sorted(subject.odd_keys)

    def test_list_is_by_prefix_and_in_order(self, subject: Subject) -> None:
        """A listing has every key that begins so, below folders too, in the order of its text."""
        only_if(subject.can_list)
        for key in ("b/2", "b/10", "b.c", "b0", "a", "b/1/deep/er", "c"):
            subject.put(key, b"1")
        assert keys(subject.store) == ["a", "b.c", "b/1/deep/er", "b/10", "b/2", "b0", "c"]
        assert keys(subject.store, "b/") == ["b/1/deep/er", "b/10", "b/2"]
        assert keys(subject.store, "b/1") == ["b/1/deep/er", "b/10"]
        assert keys(subject.store, "b") == ["b.c", "b/1/deep/er", "b/10", "b/2", "b0"]
        assert keys(subject.store, "d") == keys(subject.store, "a/") == []

    def test_list_of_nothing_is_empty(self, subject: Subject) -> None:
        """An empty store lists nothing."""
        only_if(subject.can_list)
        assert subject.store.list("", most=5) == []

    def test_list_tells_when_there_is_more(self, subject: Subject) -> None:
        """One more than `most` comes when there are more, the first ones by key."""
        only_if(subject.can_list)
        for number in range(5):
            subject.put(f"k{number}", b"1")
        assert [found.key for found in subject.store.list("k", most=2)] == ["k0", "k1", "k2"]
        assert len(subject.store.list("k", most=4)) == 5
        assert len(subject.store.list("k", most=5)) == 5

    def test_list_and_stat_say_the_same(self, subject: Subject) -> None:
        """What a listing says is what looking up says, but that it may leave out a checksum."""
        only_if(subject.can_list)
        subject.put("one", b"123")
        listed, found = subject.store.list("one", most=1)[0], subject.store.stat("one")
        checksum = listed.checksum or found.checksum
        as_listed = replace(listed, modified_at=0.0, checksum=checksum)
        assert as_listed == replace(found, modified_at=0.0)
        assert abs(listed.modified_at - found.modified_at) < 1.0

    def test_reads_are_the_bytes_asked_for(self, subject: Subject) -> None:
        """A range has exactly its bytes, and ends where the object does."""
        content = bytes(range(256)) * 4
        subject.put("one", content)
        found = subject.store.stat("one")
        for start, length in ((0, None), (0, 1), (1023, 1), (5, 500), (1000, None), (0, 1024)):
            end = None if length is None else start + length
            assert part(subject.store, found, start, length) == content[start:end]
        assert part(subject.store, found, 1000, 999) == content[1000:]
        assert part(subject.store, found, 1024, 5) == part(subject.store, found, 5000) == b""
        assert part(subject.store, found, 7, 0) == b""

    def test_an_empty_object_is_an_object(self, subject: Subject) -> None:
        """An object without bytes can be looked up and read."""
        subject.put("empty", b"")
        found = subject.store.stat("empty")
        assert (found.size_bytes, whole(subject.store, found)) == (0, b"")

    def test_chunks_are_bounded(self, subject: Subject) -> None:
        """However large a read is, it comes in chunks that are no larger than READ_BYTES."""
        content = b"0123456789abcdef" * (5 * READ_BYTES // 16 + 1)
        subject.put("large", content)
        chunks = list(subject.store.read(subject.store.stat("large")))
        assert b"".join(chunks) == content
        assert max(map(len, chunks)) <= READ_BYTES

    def test_a_read_can_be_given_up(self, subject: Subject) -> None:
        """A read that is closed after its first chunk leaves a store that still works."""
        subject.put("large", bytes(3 * READ_BYTES))
        found = subject.store.stat("large")
        for _ in range(40):
            body = subject.store.read(found)
            assert next(body)
            body.close()  # type: ignore[attr-defined]
        assert part(subject.store, found, 1, 2) == b"\0\0"

    def test_a_version_stays_and_an_overwrite_has_another(self, subject: Subject) -> None:
        """Looking twice gives one version; an overwrite changes it, also one of the same size."""
        subject.put("one", b"first")
        first = subject.store.stat("one")
        assert subject.store.stat("one").version == first.version
        subject.put("one", b"other")
        assert subject.store.stat("one").version != first.version

    @pytest.mark.parametrize("content", [b"other", b"longer than it was", b"", None])
    def test_a_read_sees_that_its_version_is_gone(
        self, subject: Subject, content: bytes | None
    ) -> None:
        """What was overwritten or removed since it was looked up is never read as if not."""
        subject.put("one", b"first")
        found = subject.store.stat("one")
        if content is None:
            subject.delete("one")
        else:
            subject.put("one", content)
        for start, length in ((0, None), (1, 2)):
            code = code_of(ObjectChanged, part, subject.store, found, start, length)
            assert code == "object_changed"

    def test_checksums_are_true(self, subject: Subject) -> None:
        """A checksum that a store states is that of the bytes; a lowercase hexadecimal number."""
        for content in (b"", b"some bytes", bytes(100_000)):
            subject.put("one", content)
            checksum = subject.store.stat("one").checksum
            if checksum is not None:
                known = new_hash(checksum[0])
                known.update(content)
                assert checksum[1] == known.digest().hex()

    def test_a_write_makes_an_object(self, subject: Subject) -> None:
        """What was written can be looked up and read; also nothing, and in a new folder."""
        only_if(subject.can_write)
        for key, content in (("new", b"12345"), ("fol der/ne+w", b"6"), ("empty", b"")):
            subject.store.write(key, io.BytesIO(content), len(content))
            assert whole(subject.store, subject.store.stat(key)) == content

    def test_a_large_write_is_streamed(self, subject: Subject) -> None:
        """20 MB are written without ever being asked for in one piece."""
        only_if(subject.can_write)
        content = Watched(b"0123456789abcdef" * 1_250_000)
        subject.store.write("large", content, 20_000_000)
        assert whole(subject.store, subject.store.stat("large")) == content.getvalue()
        assert 0 < content.most_asked <= 8 << 20

    @pytest.mark.parametrize("size_bytes", [3, 9_000_000])
    def test_a_write_never_overwrites(self, subject: Subject, size_bytes: int) -> None:
        """A key that is taken stays as it is, whoever took it."""
        only_if(subject.can_write)
        subject.put("one", b"first")
        content = io.BytesIO(bytes(size_bytes))
        code = code_of(ObjectExists, subject.store.write, "one", content, size_bytes)
        assert code == "object_exists"
        assert whole(subject.store, subject.store.stat("one")) == b"first"

    def test_of_writers_at_once_one_wins(self, subject: Subject) -> None:
        """Of several who write one key at the same time one succeeds, and its bytes are there."""
        only_if(subject.can_write)
        ready = threading.Barrier(4)

        def write(number: int) -> int | None:
            content = b"%d" % number * 200_000
            ready.wait(60)
            try:
                subject.store.write("one", io.BytesIO(content), len(content))
            except ObjectExists:
                return None
            return number

        with ThreadPoolExecutor(4) as pool:
            won = [number for number in pool.map(write, range(4)) if number is not None]
        assert len(won) == 1
        assert whole(subject.store, subject.store.stat("one")) == b"%d" % won[0] * 200_000

    def test_a_content_of_another_size_is_not_written(self, subject: Subject) -> None:
        """A content that has more or fewer bytes than it should makes no object."""
        only_if(subject.can_write)
        for size_bytes in (4, 6):
            with pytest.raises(ValueError, match="does not hold"):
                subject.store.write("one", io.BytesIO(b"12345"), size_bytes)
            with pytest.raises(ObjectMissing):
                subject.store.stat("one")

    def test_threads_do_not_disturb_each_other(self, subject: Subject) -> None:
        """Sixteen threads read different ranges at once, and each gets its own."""
        content = bytes(number % 251 for number in range(400_000))
        subject.put("one", content)
        found = subject.store.stat("one")

        def read(number: int) -> bool:
            start = number * 1234
            return part(subject.store, found, start, 5000) == content[start : start + 5000]

        with ThreadPoolExecutor(16) as pool:
            assert all(pool.map(read, range(160)))
