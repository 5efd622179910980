"""Generated requests as bytes: good ones, and ones with one thing odd, cut, glued and hurried."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.web.site import TOKEN

KEY = f"Authorization: Bearer {TOKEN}".encode()
TARGET = b"/v1/endpoints/usage"
PAGE = b"https://app.example.com"
TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

QUERIES = (
    b"", b"?limit=1", b"?account=a1", b"?account=a1&limit=2", b"?least=30", b"?columns=calls",
    b"?account=%61%31", b"?", b"?limit=0", b"?least=x", b"?account=a1&account=a2", b"?nothing=1",
    b"?columns=nothing", b"?account=%zz", b"?account=%00", b"?account=a+1", b"?cursor=x", b"??",
    b"?&", b"?=", b'?a="<>^`{|}',
)  # fmt: skip
NAMES = (
    TARGET, TARGET, TARGET, b"/v1/endpoints/kept", b"/v1/endpoints/kept", b"/v1/endpoints/heavy",
    b"/v1/endpoints/cold", b"/v1/endpoints/hidden", TARGET + b"_x",
)  # fmt: skip
FIELDS = (
    b"Host: api.example", b"User-Agent: a(b) c/1.0;q", b"Accept: */*", b"Accept: application/json",
    b"ACCEPT: application/x-ndjson", b"accept: text/html", b"Accept: text/csv;q=0.5, */*;q=0.1",
    b"Accept:", b"Accept: application/json ", b"Accept:\tapplication/json", b"Accept: a/b\t",
    b"Accept: application/vnd.apache.arrow.stream", b"Accept-Encoding: gzip, deflate",
    b"Accept-Encoding: zstd", b"accept-encoding: identity;q=0", b"If-None-Match: *",
    b'If-None-Match: "x"', b"if-none-match: W/*", b"If-None-Match:", b"X-Request-Id: my.id-1",
    b"X-Request-Id: no id", b"x-request-id: " + b"i" * 129, b"X-Request-Id:", b"Origin: " + PAGE,
    b"Origin: https://evil.example", b"Connection: keep-alive", b"Connection: Keep-Alive",
    b"Cookie: a=b; c=d", b"X-Forwarded-For: 10.0.0.1", b"TE: trailers", b"Range: bytes=0-1",
    b"traceparent: " + TRACE, b"Traceparent: 00-" + b"0" * 32 + TRACE[35:], b"traceparent:",
    b"Tab: a\tb", b"Content-Type: text/plain", b"Long: " + b"l" * 3000,
)  # fmt: skip
KEYS = (
    KEY, KEY, KEY, KEY, b"authorization: bearer " + TOKEN.encode(), b"Authorization: Basic abc",
    b"Authorization: Bearer", KEY + b" ", b"X-No: key",
)  # fmt: skip

ODD_METHODS = (b"POST", b"OPTIONS", b"PUT", b"get", b"GETX", b"")
ODD_TARGETS = (
    TARGET + b"#part", TARGET + b"?limit=1#part", TARGET + b"?account=\xc3\xa9", TARGET + b"?a=a 1",
    b"/v1/endpoints/Usage", b"/v1/endpoints/usag%65", b"/v1/endpoints/", TARGET + b"/", b"/healthz",
    b"/v1//endpoints/usage", b"/v1/endpoints/us.age", b"/", b"*", b"http://h" + TARGET,
    b"//h" + TARGET, TARGET + b";a=1", b"/v1/endpoints/" + b"u" * 64, TARGET + b"?a=" + b"a" * 9000,
)  # fmt: skip
ODD_VERSIONS = (b"HTTP/1.0", b"HTTP/2.0", b"http/1.1", b"HTTP/1.1 ", b"HTTP/1.10", b"")
ODD_FIELDS = (
    b"Connection: close", b"connection: keep-alive, te", b"Connection: upgrade",
    b"Connection: keep-alive ", b"Connection:", b"Upgrade: websocket", b"Upgrade: h2c",
    b"Upgrade: h2c\r\nConnection: upgrade", b"Expect: 100-continue", b"Expect: more", b"Trailer: x",
    KEY + b"\r\nAuthorization: Bearer other", b"Accept: a/b\r\nAccept: */*",
    b"Accept: */*\r\nAccept: a/b", b"Connection: close\r\nConnection: keep-alive",
    b"X-Request-Id: a\r\nX-Request-Id: b", b"traceparent: " + TRACE + b"\r\nTraceparent: " + TRACE,
    b"Transfer-Encoding: identity", b"Content-Length: 0",
    b"Content-Length: -1", b"Content-Length: 99999999", b"Content-Length: 5", b"No colon",
    b"Accept: a\xe9", b"X-\xc3\xa9: x", b": no name", b"Sp ace: x", b"Space : x", b" Folded: x",
    b"Null: a\x00b", b"Bell: \x07", b"Bare: a\rb", b"Bare: a\nb", b"Accept: \x0ba/b", b"Del: \x7f",
    b"(x): y", b"Long: " + b"l" * 9000, b"Longest: " + b"l" * 17000, b"Cookie: \xe9=a",
)  # fmt: skip
BODIES = (
    (b"Content-Length: 5", b"hello"),
    (b"Content-Length: 5", b"hel"),
    (b"Content-Length: 60", b""),
    (b"Content-Length: 19", b"GET /healthz HTTP/1"),
    (b"Transfer-Encoding: chunked", b"5\r\nhello\r\n0\r\n\r\n"),
    (b"Transfer-Encoding: chunked", b""),
    (b"Transfer-Encoding: chunked", b"zz\r\n"),
    (b"Content-Length: 5\r\nTransfer-Encoding: chunked", b"0\r\n\r\n"),
)


def head(
    target: bytes, *fields: bytes, method: bytes = b"GET", version: bytes = b"HTTP/1.1"
) -> bytes:
    """Return a request's head."""
    return b"\r\n".join((b" ".join((method, target, version)), *fields, b"", b""))


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Draw one request; in every third, one thing is odd."""
    fields = [draw(st.sampled_from(KEYS)), *draw(st.lists(st.sampled_from(FIELDS), max_size=3))]
    target = draw(st.sampled_from(NAMES)) + draw(st.sampled_from(QUERIES))
    method, version, body = draw(st.sampled_from((b"GET", b"GET", b"HEAD"))), b"HTTP/1.1", b""
    match draw(
        st.sampled_from(("method", "target", "version", "field", "field", "body", *"-" * 12))
    ):
        case "method":
            method = draw(st.sampled_from(ODD_METHODS))
        case "target":
            target = draw(st.sampled_from(ODD_TARGETS))
        case "version":
            version = draw(st.sampled_from(ODD_VERSIONS))
        case "field":
            fields.insert(draw(st.integers(0, len(fields))), draw(st.sampled_from(ODD_FIELDS)))
        case "body":
            framing, body = draw(st.sampled_from(BODIES))
            fields.append(framing)
    return head(target, *fields, method=method, version=version) + body


@st.composite
def conversations(draw: st.DrawFn) -> list[tuple[bytes, int | None]]:
    """Draw what one caller sends, as it is read: whole requests, pairs, halves, single bytes.

    Beside each piece stands after how many turns of the loop the next one comes; None is when the
    connection rests.
    """
    pieces: list[bytes] = []
    for request in draw(st.lists(requests(), min_size=1, max_size=4)):
        match draw(st.sampled_from(("glued", "cut", "bytes", "junk", *"-" * 8))):
            case "glued" if pieces:
                pieces[-1] += request
            case "cut":
                at = draw(st.integers(0, len(request)))
                pieces += [request[:at], request[at:]]
            case "bytes" if len(request) < 300:
                pieces += [request[at : at + 1] for at in range(len(request))]
            case "junk":
                pieces.append(draw(st.sampled_from((b"\r\n", b"x", b"\x16\x03\x01"))) + request)
            case _:
                pieces.append(request)
    turns = st.sampled_from((None, None, None, None, 0, 1, 2, 5))
    return [(piece, draw(turns)) for piece in pieces if piece]
