"""Sorted dictionaries: codes are ranks, so comparing codes is comparing values."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import overload

import numpy as np
import numpy.typing as npt
from xxhash import xxh3_64_intdigest

_DECIMAL_BYTES = 16
# As many texts of a dictionary are kept in a worker: a search over 50,000 reads 7 more, not 16.
_FENCES = 512


class Texts:
    """Strings by number, over two buffers of a part.

    `offsets` is int64 of shape (n + 1,), `bytes` uint8: entry i is
    `bytes[offsets[i]:offsets[i + 1]]`. Both are views and read-only.
    """

    __slots__ = ("_ends", "_text", "bytes", "offsets")

    def __init__(self, offsets: npt.NDArray[np.int64], text: npt.NDArray[np.uint8]) -> None:
        self.offsets = offsets
        self.bytes = text
        self._ends = offsets.data
        self._text = text.data

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __iter__(self) -> Iterator[bytes]:
        return map(self.__getitem__, range(len(self)))

    @overload
    def __getitem__(self, code: int) -> bytes: ...
    @overload
    def __getitem__(self, code: slice) -> list[bytes]: ...
    def __getitem__(self, code: int | slice) -> bytes | list[bytes]:
        if isinstance(code, slice):
            return [self[i] for i in range(*code.indices(len(self)))]
        if not 0 <= code < len(self):
            raise IndexError(f"{code} is not one of {len(self)} texts")
        return self._text[self._ends[code] : self._ends[code + 1]].tobytes()

    def text(self, code: int) -> str:
        """Return the string numbered `code`; raise IndexError when there is none."""
        return self[code].decode()

    def texts(self, codes: npt.NDArray[np.integer]) -> list[str]:
        """Return the strings numbered by an array; raise IndexError when one is not there."""
        starts = self.offsets[codes].tolist()
        ends = self.offsets[codes.astype(np.int64) + 1].tolist()
        text = self._text
        return [str(text[a:b], "utf-8") for a, b in zip(starts, ends, strict=True)]


class Dictionary(Texts):
    """Distinct strings in the order of their UTF-8 bytes: a code is a rank.

    A search looks at some evenly spaced texts first, which are read once and kept. `buckets` and
    `codes`, if there are any, are a hash table: the texts whose xxh3-64 begins with the bits of i
    have the codes `codes[buckets[i]:buckets[i + 1]]` (both uint32).
    """

    __slots__ = ("_buckets", "_codes", "_fences", "_shift", "_step")

    def __init__(
        self,
        offsets: npt.NDArray[np.int64],
        text: npt.NDArray[np.uint8],
        buckets: npt.NDArray[np.uint32] | None = None,
        codes: npt.NDArray[np.uint32] | None = None,
    ) -> None:
        super().__init__(offsets, text)
        self._step = -(-len(self) // _FENCES) or 1
        self._fences: list[bytes] | None = None
        self._buckets = None if buckets is None else buckets.data
        self._codes = None if codes is None else codes.data
        self._shift = 65 - (0 if buckets is None else len(buckets)).bit_length()

    def find(self, text: bytes) -> int:
        """Return the code of `text`, or -1 when no row holds it."""
        ends, texts, buckets, codes = self._ends, self._text, self._buckets, self._codes
        if buckets is None or codes is None:
            code = self.lower_bound(text)
            is_there = code < len(ends) - 1 and texts[ends[code] : ends[code + 1]] == text
            return code if is_there else -1
        bucket = xxh3_64_intdigest(text) >> self._shift
        for code in codes[buckets[bucket] : buckets[bucket + 1]]:
            if texts[ends[code] : ends[code + 1]] == text:
                return code
        return -1

    def lower_bound(self, text: bytes) -> int:
        """Return the first code whose text is not less than `text`; `len(self)` if none is."""
        fences = self._fences
        if fences is None:
            self._fences = fences = self[:: self._step]
        fence, step, ends, texts = bisect_left(fences, text), self._step, self._ends, self._text
        low, high = max(0, (fence - 1) * step + 1), min(fence * step, len(ends) - 1)
        while low < high:
            middle = (low + high) >> 1
            if texts[ends[middle] : ends[middle + 1]].tobytes() < text:
                low = middle + 1
            else:
                high = middle
        return low

    def upper_bound(self, text: bytes) -> int:
        """Return the first code whose text is greater than `text`; `len(self)` if none is."""
        return self.lower_bound(text + b"\0")  # the least text that is greater

    def prefix_range(self, text: bytes) -> tuple[int, int]:
        """Return the half-open range of codes whose text begins with `text`."""
        successor = _successor(text)
        end = len(self) if successor is None else self.lower_bound(successor)
        return self.lower_bound(text), end


class DecimalDictionary:
    """Distinct unscaled decimals in ascending order: 16 bytes each, two's complement."""

    __slots__ = ("_numbers", "bytes")

    def __init__(self, numbers: npt.NDArray[np.uint8]) -> None:
        self.bytes = numbers
        self._numbers = numbers.data

    def __len__(self) -> int:
        return len(self._numbers) // _DECIMAL_BYTES

    def __iter__(self) -> Iterator[int]:
        return map(self.__getitem__, range(len(self)))

    @overload
    def __getitem__(self, code: int) -> int: ...
    @overload
    def __getitem__(self, code: slice) -> list[int]: ...
    def __getitem__(self, code: int | slice) -> int | list[int]:
        if isinstance(code, slice):
            return [self[i] for i in range(*code.indices(len(self)))]
        if not 0 <= code < len(self):
            raise IndexError(f"code {code} is not in a dictionary of {len(self)}")
        at = code * _DECIMAL_BYTES
        return int.from_bytes(self._numbers[at : at + _DECIMAL_BYTES], "little", signed=True)

    def find(self, unscaled: int) -> int:
        """Return the code of `unscaled`, or -1 when no row holds it."""
        code = bisect_left(self, unscaled)
        return code if code < len(self) and self[code] == unscaled else -1

    def lower_bound(self, unscaled: int) -> int:
        """Return the first code whose number is not less; `len(self)` if none is."""
        return bisect_left(self, unscaled)

    def upper_bound(self, unscaled: int) -> int:
        """Return the first code whose number is greater; `len(self)` if none is."""
        return bisect_right(self, unscaled)

    def unscaled(self, code: int) -> int:
        """Return the number behind `code`, times 10 to its scale; raise IndexError if none."""
        return self[code]

    def unscaled_all(self, codes: npt.NDArray[np.integer]) -> list[int]:
        """Return the unscaled numbers behind an array of codes."""
        return [self[code] for code in codes.tolist()]


def _successor(text: bytes) -> bytes | None:
    """Return the least string greater than every string that begins with `text`, if any."""
    trimmed = text.rstrip(b"\xff")
    return trimmed[:-1] + bytes([trimmed[-1] + 1]) if trimmed else None
