"""The segment store: a bucket prefix or folder where replicas share the parts they built.

    <prefix>/v2/<dataset>/<part id>.<xxh3-128 of the file>.part    one part, as it lies in a cache
    <prefix>/v2/<dataset>/<part id>.json                           its descriptor, written last
    <prefix>/v2/<dataset>/<part id>.<n>.<xxh3-128>.part            copy n, beside a spoilt one
    <prefix>/v2/<dataset>/<part id>.<n>.json

`v2` is the segment's format version. Objects are made and never changed or removed, so the right
to create is all that writing takes. What makes a part readable is its descriptor: a part without
one is a half upload, and the next replica goes on where it ended. A copy that turned out spoilt
stays where it is: whoever builds the part again makes the next copy, and readers go on to that.
"""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Literal

from offloader.segment.layout import FORMAT_VERSION
from offloader.service.segment_descriptor import (
    MAX_DESCRIPTOR_BYTES,
    PartRef,
    SharedPart,
    SharedPartBad,
    parse_shared_part,
)
from offloader.stores.checksum import new_hash
from offloader.stores.download import ContentDiffers, Download, ObjectTooLarge, read_whole
from offloader.stores.location import Location, parse_url
from offloader.stores.store import (
    READ_BYTES,
    ObjectChanged,
    ObjectExists,
    ObjectMissing,
    ObjectStore,
    StoredObject,
    StoreFailed,
)

MOST_COPIES = 4
RANGE_BYTES = 32 << 20  # a request costs more than what it reads in some milliseconds
_MOST_REMEMBERED = 10_000

Put = Literal["uploaded", "present"]


def segment_location(text: str) -> Location:
    """Return the location that OFFLOADER_SEGMENT_STORE names: a bucket's prefix or a folder."""
    return parse_url(text) if "://" in text else Location("file", text, "")


class SegmentStore:
    """Reads and writes shared parts; any thread may use it.

    `open_store` is called at the first use. Every method raises SourceUnavailable: what a store
    raises, or SharedPartBad for a copy that is not the part, which is remembered and passed over
    from then on.
    """

    def __init__(self, location: Location, open_store: Callable[[Location], ObjectStore]) -> None:
        self.location = location
        self._open_store = open_store
        self._spoilt: OrderedDict[PartRef, frozenset[int]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def _store(self) -> ObjectStore:
        return self._open_store(self.location)

    def copies(self, ref: PartRef) -> list[int]:
        """Return the numbers of the copies of a part that are not known to be spoilt."""
        with self._lock:
            spoilt = self._spoilt.get(ref, frozenset())
        return [number for number in range(MOST_COPIES) if number not in spoilt]

    def spoil(self, ref: PartRef, copy: int) -> None:
        """Remember that a copy is no good."""
        with self._lock:
            self._spoilt[ref] = self._spoilt.pop(ref, frozenset()) | {copy}
            if len(self._spoilt) > _MOST_REMEMBERED:
                self._spoilt.popitem(last=False)

    def look_up(self, ref: PartRef, copy: int) -> tuple[SharedPart, StoredObject]:
        """Return what a copy's descriptor says, and the object that it is; ObjectMissing if none.

        Also a descriptor without its part counts as missing: somebody removed one of the two.
        """
        shared = self._said(ref, copy)
        return shared, self._object(shared, copy)

    def download(
        self,
        copy: int,
        shared: SharedPart,
        found: StoredObject,
        target: Path,
        pool: Executor,
        on_bytes: Callable[[int], None],
        *,
        is_compared: bool,
    ) -> None:
        """Make the file `target` out of a copy's bytes; the threads of `pool` read a range each.

        If it `is_compared`, what the store's checksum shows to be damaged on the way is read again,
        and the bytes have the digest that was said; else they are just the bytes that came. Raises
        OSError too, when the file cannot be written.
        """
        try:
            Download(
                self._store,
                found if is_compared else replace(found, checksum=None),
                target,
                pool,
                range_bytes=RANGE_BYTES,
                wanted=("xxh3_128", shared.digest) if is_compared else None,
                on_bytes=on_bytes,
            ).finish()
        except StoreFailed as error:
            if error.code != "object_checksum_differs":
                raise
            what = "its bytes are not those its store has a checksum of"
            raise SharedPartBad(self.name(shared.ref, copy), what) from error
        except ContentDiffers as error:
            what = "its digest is not the one its descriptor says"
            raise SharedPartBad(self.name(shared.ref, copy), what) from error
        except ObjectChanged as error:
            what = "it was overwritten while it was read"
            raise SharedPartBad(self.name(shared.ref, copy), what) from error

    def is_there(self, ref: PartRef) -> bool:
        """Tell whether a part can be had; its bytes are not read."""
        for copy in self.copies(ref):
            try:
                self.look_up(ref, copy)
            except ObjectMissing:
                return False
            except SharedPartBad:
                self.spoil(ref, copy)
                continue
            return True
        return False

    def put(self, shared: SharedPart, content: BinaryIO) -> Put:
        """Share a part: its bytes, then its descriptor, unless another replica did it already.

        Raises SharedPartBad when every copy there may be is spoilt.
        """
        for copy in self.copies(shared.ref):
            try:
                return self._put(shared, copy, content)
            except SharedPartBad:
                self.spoil(shared.ref, copy)
        name = self.name(shared.ref, MOST_COPIES - 1)
        raise SharedPartBad(name, "all copies are spoilt: remove the objects of this part")

    def name(self, ref: PartRef, copy: int) -> str:
        """Return what errors and logs call a copy."""
        return self.location.below(self._key(ref, copy, "json")).shown

    def _said(self, ref: PartRef, copy: int) -> SharedPart:
        name = self.name(ref, copy)
        try:
            _, raw = read_whole(self._store, self._key(ref, copy, "json"), MAX_DESCRIPTOR_BYTES)
        except (ObjectTooLarge, ObjectChanged) as error:
            raise SharedPartBad(name, "its descriptor is no descriptor") from error
        return parse_shared_part(raw, ref, name)

    def _object(self, shared: SharedPart, copy: int) -> StoredObject:
        found = self._store.stat(self._part_key(shared, copy))
        if found.size_bytes != shared.size_bytes:
            what = f"it has {found.size_bytes} bytes, not {shared.size_bytes}"
            raise SharedPartBad(self.name(shared.ref, copy), what)
        return found

    def _put(self, shared: SharedPart, copy: int, content: BinaryIO) -> Put:
        """Make what is missing of one copy: its part, its descriptor, or both."""
        try:
            said = self._said(shared.ref, copy)
        except ObjectMissing:
            said = None
        is_new = self._put_part(said, shared, copy, content)
        if said is None:
            is_new |= self._put_descriptor(shared, copy)
        return "uploaded" if is_new else "present"

    def _put_part(
        self, said: SharedPart | None, shared: SharedPart, copy: int, content: BinaryIO
    ) -> bool:
        """Write the bytes, unless those that the descriptor names are there; tell whether."""
        if said is not None:
            try:
                self._object(said, copy)
                return False
            except ObjectMissing:
                if said.digest != shared.digest:
                    what = "its part was removed, and was another one than is built here"
                    raise SharedPartBad(self.name(shared.ref, copy), what) from None
        key = self._part_key(shared, copy)
        try:
            content.seek(0)
            self._store.write(key, content, shared.size_bytes)
        except ObjectExists:  # half an upload, another replica's, or this one's own before a retry
            self._compare(self._object(shared, copy), shared, copy, content)
            return False
        return True

    def _put_descriptor(self, shared: SharedPart, copy: int) -> bool:
        raw = shared.encode()
        try:
            self._store.write(self._key(shared.ref, copy, "json"), io.BytesIO(raw), len(raw))
        except ObjectExists:
            self.look_up(shared.ref, copy)  # another replica's is as good, if it is whole
            return False
        return True

    def _compare(
        self, found: StoredObject, shared: SharedPart, copy: int, content: BinaryIO
    ) -> None:
        """Refuse an object that is there already and whose checksum is not that of the part."""
        if found.checksum is None:
            return
        algorithm, expected = found.checksum
        hasher = new_hash(algorithm)
        content.seek(0)
        while chunk := content.read(READ_BYTES):
            hasher.update(chunk)
        if hasher.digest().hex() != expected:
            raise SharedPartBad(self.name(shared.ref, copy), "its object holds other bytes")

    def _key(self, ref: PartRef, copy: int, ending: str) -> str:
        name = f"{ref.part_id}.{copy}" if copy else ref.part_id
        return self.location.below(f"v{FORMAT_VERSION}/{ref.dataset}/{name}.{ending}").key

    def _part_key(self, shared: SharedPart, copy: int) -> str:
        return self._key(shared.ref, copy, f"{shared.digest}.part")
