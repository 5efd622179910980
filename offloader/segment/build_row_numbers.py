"""Write numbers as JSON text, many at once: Arrow writes the digits, its notation is mended."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_WIDEST = 38


def integer_texts(values: npt.NDArray[np.integer[Any]]) -> pa.StringArray:
    """Write integers as digits."""
    return pa.array(values).cast(pa.string())


def double_texts(values: npt.NDArray[np.float64]) -> pa.StringArray:
    """Write finite doubles as the shortest decimal that reads back the same, as `repr` notes it.

    Arrow finds the same digits, but leaves the `.0` of whole numbers out, and differs from `repr`
    in when it uses exponents and how many digits they have.
    """
    texts = pa.array(values).cast(pa.string())
    size = np.abs(values)
    is_minus_zero = (values == 0) & np.signbit(values)
    is_whole = (size < 1e16) & (values == np.rint(values)) & ~is_minus_zero
    if is_whole.any():
        whole = integer_texts(np.where(is_whole, values, 0.0).astype(np.int64))
        whole = pc.binary_join_element_wise(whole, ".0", "")
        texts = pc.if_else(pa.array(is_whole), whole, texts)
    is_large = (size >= 1e10) & (size < 1e16) & ~is_whole
    is_small = (size >= 1e-9) & (size < 1e-4)
    is_other = is_large | is_small | is_minus_zero
    return mended(texts, pa.array(is_other), lambda text: repr(float(text)))


def decimal_texts(words: npt.NDArray[np.int64], scale: int) -> pa.StringArray:
    """Write unscaled decimals in plain notation with `scale` digits behind the point.

    `words` holds 16 bytes each, two's complement: the low word, then the high one.
    """
    kind = pa.decimal128(_WIDEST, scale)
    texts = pa.Array.from_buffers(kind, len(words) // 2, [None, pa.py_buffer(words)])
    texts = texts.cast(pa.string())
    if scale == 0:
        return texts
    return mended(texts, pc.match_substring(texts, "E"), lambda text: f"{Decimal(text):f}")


def mended(
    texts: pa.Array, is_wrong: pa.BooleanArray, mend: Callable[[str], str]
) -> pa.StringArray:
    """Replace the texts that are wrong; equal ones are mended once."""
    if not pc.any(is_wrong).as_py():
        return texts
    found = texts.filter(is_wrong).dictionary_encode()
    distinct = pa.array(list(map(mend, found.dictionary.to_pylist())), texts.type)
    return pc.replace_with_mask(texts, is_wrong, distinct.take(found.indices))
