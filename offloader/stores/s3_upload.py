"""Writing to S3: one request up to 4 GiB, above that in parts, and never over what lies there."""

from __future__ import annotations

import io
from typing import Any, BinaryIO

from botocore.exceptions import ClientError

SINGLE_BYTES = 4 << 30
# 10,000 parts are the most there can be, 5 TiB the largest object.
PART_BYTES = 512 << 20


class Piece(io.RawIOBase):
    """A part of a file as a file: botocore reads, rewinds and measures a body."""

    def __init__(self, content: BinaryIO, start: int, length: int) -> None:
        self._content, self._start, self._length, self._at = content, start, length, 0

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a place and return it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._length}[whence]
        self._at = min(max(0, base + offset), self._length)
        return self._at

    def tell(self) -> int:
        """Return the place."""
        return self._at

    def read(self, size: int | None = -1, /) -> bytes:
        """Return at most `size` bytes, none at the end of the piece."""
        left = self._length - self._at
        self._content.seek(self._start + self._at)
        piece = self._content.read(left if size is None or size < 0 else min(size, left))
        self._at += len(piece)
        return piece

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be rewound, as signing does."""
        return True


def check_size(content: BinaryIO, size_bytes: int) -> None:
    """Raise ValueError unless a content holds that many bytes."""
    if content.seek(0, io.SEEK_END) != size_bytes:
        raise ValueError(f"the content does not hold the {size_bytes} bytes it should")


class Upload:
    """One object to be made."""

    def __init__(self, client: Any, bucket: str, key: str, content: BinaryIO, size: int) -> None:
        self._client, self._content, self._size = client, content, size
        self._place = {"Bucket": bucket, "Key": key}

    def run(self) -> None:
        """Make the object; raises ClientError 412 when there is one."""
        try:
            self._send({"IfNoneMatch": "*"})
        except ClientError as error:
            if _status(error) != 501:
                raise
            # Some compatible stores know no conditions: two that write at once may both succeed,
            # which is harmless where a key says what the bytes are.
            self._raise_if_there()
            self._send({})

    def _send(self, condition: dict[str, str]) -> None:
        if self._size > SINGLE_BYTES:
            return self._send_parts(condition)
        body = Piece(self._content, 0, self._size)
        self._client.put_object(**self._place, Body=body, ContentLength=self._size, **condition)
        return None

    def _send_parts(self, condition: dict[str, str]) -> None:
        upload = self._client.create_multipart_upload(**self._place)["UploadId"]
        try:
            starts = range(0, self._size, PART_BYTES)
            parts = [
                {"PartNumber": number, "ETag": self._send_part(upload, number, start)}
                for number, start in enumerate(starts, 1)
            ]
            self._client.complete_multipart_upload(
                **self._place, UploadId=upload, MultipartUpload={"Parts": parts}, **condition
            )
        except BaseException:
            self._abort(upload)
            raise

    def _send_part(self, upload: str, number: int, start: int) -> str:
        length = min(PART_BYTES, self._size - start)
        body = Piece(self._content, start, length)
        answer = self._client.upload_part(
            **self._place, UploadId=upload, PartNumber=number, Body=body, ContentLength=length
        )
        return str(answer["ETag"])

    def _abort(self, upload: str) -> None:
        """Give up the parts that were sent; what cannot be given up is the bucket's to expire."""
        try:
            self._client.abort_multipart_upload(**self._place, UploadId=upload)
        except Exception:
            return

    def _raise_if_there(self) -> None:
        try:
            self._client.head_object(**self._place)
        except ClientError as error:
            if _status(error) == 404:
                return
            raise
        said = {"Error": {"Code": "PreconditionFailed"}}
        meta = {"ResponseMetadata": {"HTTPStatusCode": 412}}
        raise ClientError(said | meta, "PutObject")


def _status(error: Any) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
