"""Bad input over HTTP: every row of the negative tests that concerns HTTP, JSON, routing and keys, with what must come of it.

A row is (number, bytes, status, reason, end): the number of the requirement, what is sent, the status (None: no answer), the
`metadata.reason` of the envelope ("" where there is none; tuples: one of them), and whether the connection stays OPEN or is to CLOSE. Requirement and
row are many to one. test_negatives.py sends each whole and in small pieces, counts what reached a provider (nothing, but where a
row is in TALKS), and asks on a new connection whether the gateway lives.

Not requests, so not here: 71 (addresses that are never connected to: integration/transport_answers_test.c; private ones are the
operator's choice), 73 and 114 (the configuration: unit/config_refusals_test.c).
"""
import json

OPEN, CLOSE = "open", "close"
INVALID, TOO_LARGE, UNIMPLEMENTED = "INVALID_REQUEST", "TOO_LARGE", "UNIMPLEMENTED"
NOT_ALLOWED, FORBIDDEN, NOT_FOUND = "METHOD_NOT_ALLOWED", "PERMISSION_DENIED", "NOT_FOUND"

P = b"POST /v1/chat/completions HTTP/1.1\r\n"
GET = b"GET /v1/models HTTP/1.1\r\n"
H = b"Host: localhost\r\n"
J = b"Content-Type: application/json\r\n"
CHUNKED = P + H + J + b"Transfer-Encoding: chunked\r\n\r\n"
USER = [{"role": "user", "content": "hi"}]
BAD = b'{"messages":[{"role":"user","content":"hi"}],"temperature":9}'


def post(body, headers=b"", content_type=J, path=b"/v1/chat/completions"):
    if isinstance(body, dict):
        body = json.dumps(body).encode()
    length = b"Content-Length: %d\r\n" % len(body)
    return b"POST " + path + b" HTTP/1.1\r\n" + H + content_type + length + headers + b"\r\n" + body


def chat(**fields):
    return post({"model": "t/m", "messages": USER, **fields})


def raw(text):
    """A chat body in which TEXT stands for further members."""
    return post(b'{"model":"t/m","messages":[{"role":"user","content":"hi"}],' + text + b"}")


def get(target, headers=b""):
    return b"GET " + target + b" HTTP/1.1\r\n" + H + headers + b"\r\n"


def data_url(data):
    return [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": data}}]}]


# Pictures: refused for what they are.
UNTAKEN = (400, INVALID)

FRAMING = [
    (1, P + H + J + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400, INVALID, CLOSE),
    (1, P + H + J + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400, INVALID, CLOSE),
    (2, P + H + J + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400, INVALID, CLOSE),
    (3, P + H + J + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400, INVALID, CLOSE),
    (4, P + H + J + b"Content-Length: 42, 42\r\n\r\n", 400, INVALID, CLOSE),
    (5, P + H + J + b"Content-Length: +5\r\n\r\n", 400, INVALID, CLOSE),
    (6, P + H + J + b"Content-Length: -48\r\n\r\n", 400, INVALID, CLOSE),
    (7, P + H + J + b"Content-Length: 0x10\r\n\r\n", 400, INVALID, CLOSE),
    (8, P + H + J + b"Content-Length: 1_0\r\n\r\n", 400, INVALID, CLOSE),
    (9, P + H + J + b"Content-Length:\r\n\r\n", 400, INVALID, CLOSE),
    (9, P + H + J + b"Content-Length: \r\n\r\n", 400, INVALID, CLOSE),
    # ten bytes, not eight: the body is read to its end and then judged, so that the connection stays in step
    (10, P + H + J + b'Content-Length: 010\r\n\r\n{"a":1234}', 400, INVALID, OPEN),
    (11, P + H + J + b"Content-Length: 9223372036854775808\r\n\r\n", 413, TOO_LARGE, CLOSE),
    (11, P + H + J + b"Content-Length: 18446744073709551616\r\n\r\n", 400, INVALID, CLOSE),
    (11, P + H + J + b"Content-Length: " + b"1" * 30 + b"\r\n\r\n", 400, INVALID, CLOSE),
    (11, P + H + J + b"Content-Length: 99999999\r\n\r\n", 413, TOO_LARGE, CLOSE),
    (12, P + H + J + b"Transfer-Encoding: xchunked\r\n\r\n", 501, UNIMPLEMENTED, CLOSE),
    (12, P + H + J + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501, UNIMPLEMENTED, CLOSE),
    (13, P + H + J + b"Transfer-Encoding: chunked, chunked\r\n\r\n", 400, INVALID, CLOSE),
    (14, P + H + J + b"Transfer-Encoding: ,chunked\r\n\r\n", 400, INVALID, CLOSE),
    (14, P + H + J + b"Transfer-Encoding:\r\n\r\n", 400, INVALID, CLOSE),
    (15, P + H + J + b"Transfer-Encoding: \xa0chunked\r\n\r\n", 400, INVALID, CLOSE),
    (15, P + H + J + b"Transfer-Encoding: chunked\x85\r\n\r\n", 400, INVALID, CLOSE),
    (16, b"POST /v1/chat/completions HTTP/1.0\r\n" + H + J + b"Transfer-Encoding: chunked\r\n\r\n", 400, INVALID, CLOSE),
    (17, P + H + J + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400, INVALID, CLOSE),
    (17, P + H + J + b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n", 400, INVALID, CLOSE),
    (18, P + H + J + b"Content-Length : 5\r\n\r\n", 400, INVALID, CLOSE),
    (18, P + H + J + b"Transfer-Encoding : chunked\r\n\r\n", 400, INVALID, CLOSE),
    (19, P + b" " + H + J + b"\r\n", 400, INVALID, CLOSE),
    (19, P + b"\t" + H + J + b"\r\n", 400, INVALID, CLOSE),
    (20, P + H + b"X-A: b\r\n c\r\n\r\n", 400, INVALID, CLOSE),
    (20, P + H + J + b"Transfer-Encoding:\r\n chunked\r\n\r\n", 400, INVALID, CLOSE),
    (20, CHUNKED + b"0\r\nX-T: a\r\n b\r\n\r\n", 400, INVALID, CLOSE),
    (20, CHUNKED + b"0\r\n X-T: a\r\n\r\n", 400, INVALID, CLOSE),
    (21, P + H + b"no colon here\r\n\r\n", 400, INVALID, CLOSE),
    (21, CHUNKED + b"0\r\nnocolon\r\n\r\n", 400, INVALID, CLOSE),
    (22, P + H + b": empty\r\n\r\n", 400, INVALID, CLOSE),
    (22, CHUNKED + b"0\r\n: a\r\n\r\n", 400, INVALID, CLOSE),
    (23, P + H + b"X-\xef: a\r\n\r\n", 400, INVALID, CLOSE),
    (23, P + H + b"X\x85: a\r\n\r\n", 400, INVALID, CLOSE),
    (23, P + H + b"X A: a\r\n\r\n", 400, INVALID, CLOSE),
    (23, P + H + b"X(: a\r\n\r\n", 400, INVALID, CLOSE),
    (23, CHUNKED + b"0\r\nX A: a\r\n\r\n", 400, INVALID, CLOSE),
    (24, P + H + b"X: a\0b\r\n\r\n", 400, INVALID, CLOSE),
    (24, CHUNKED + b"0\r\nX: a\0b\r\n\r\n", 400, INVALID, CLOSE),
    (25, P + H + b"X: a\rb\r\n\r\n", 400, INVALID, CLOSE),
    (25, P + H + b"X: a\r\n\rX\r\n\r\n", 400, INVALID, CLOSE),
    (26, b"POST /v1/chat/completions HTTP/1.1\nHost: localhost\n\n", 400, INVALID, CLOSE),
    (26, P + b"Host: localhost\n\r\n", 400, INVALID, CLOSE),
    (25, CHUNKED + b"0\r\nX: a\rb\r\n\r\n", 400, INVALID, CLOSE),
    (26, P + H + b"\n", 400, INVALID, CLOSE),
    (26, CHUNKED + b"0\r\n\n", 400, INVALID, CLOSE),
    (26, CHUNKED + b"0\r\nX-T: a\n\r\n", 400, INVALID, CLOSE),
    (26, CHUNKED + b"0\r\nX-T: a\r\n\n", 400, INVALID, CLOSE),
    (26, CHUNKED + b"0\n\r\n", 400, INVALID, CLOSE),
    (26, CHUNKED + b"5\nhello\r\n0\r\n\r\n", 400, INVALID, CLOSE),
    (26, CHUNKED + b"5\r\nhello\n0\r\n\r\n", 400, INVALID, CLOSE),
    (26, CHUNKED + b"5;a=b\nhello\r\n0\r\n\r\n", 400, INVALID, CLOSE),
    (26, CHUNKED + b"0;a=b\n\r\n", 400, INVALID, CLOSE),
    (27, CHUNKED + b"0x5\r\nhello\r\n0\r\n\r\n", 400, INVALID, CLOSE),
    (27, CHUNKED + b"+5\r\nhello\r\n0\r\n\r\n", 400, INVALID, CLOSE),
    (27, CHUNKED + b" 5\r\nhello\r\n0\r\n\r\n", 400, INVALID, CLOSE),
    (27, CHUNKED + b"5_\r\nhello\r\n0\r\n\r\n", 400, INVALID, CLOSE),
    (28, CHUNKED + b"5\r\r;a\nhello\r\n0\r\n\r\n", 400, INVALID, CLOSE),
    (29, CHUNKED + b"\r\nhello\r\n0\r\n\r\n", 400, INVALID, CLOSE),
    (29, CHUNKED + b";a=b\r\nhello\r\n0\r\n\r\n", 400, INVALID, CLOSE),
    (30, CHUNKED + b"11111111111111111\r\nhello\r\n0\r\n\r\n", 400, INVALID, CLOSE),
    (30, CHUNKED + b"00000000000000005\r\nhello\r\n0\r\n\r\n", 400, INVALID, CLOSE),
    (31, CHUNKED + b"5\r\nhelloXX0\r\n\r\n", 400, INVALID, CLOSE),
    (32, CHUNKED + b"5\r\nhello\r\n0\r\n", None, "", CLOSE),
    (33, CHUNKED + b"3d\r\n" + BAD + b"\r\n0\r\nAuthorization: Bearer x\r\n\r\n", 400, INVALID, OPEN),
    (33, CHUNKED + b"3d\r\n" + BAD + b"\r\n0\r\nContent-Length: 5\r\n\r\n", 400, INVALID, OPEN),
    (34, b"GET /v1/models HTTP/1.32\r\n" + H + b"\r\n", 400, INVALID, CLOSE),
    (34, b"GET /v1/models HTTP/4294967295.255\r\n" + H + b"\r\n", 400, INVALID, CLOSE),
    (34, b"GET /v1/models HTTP/2.0\r\n" + H + b"\r\n", 505, INVALID, CLOSE),
    (34, b"GET /v1/models\r\n" + H + b"\r\n", 400, INVALID, CLOSE),
    (34, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, INVALID, CLOSE),
    (35, b"G=\":<> /v1/models HTTP/1.1\r\n" + H + b"\r\n", 400, INVALID, CLOSE),
    (35, b"get /v1/models HTTP/1.1\r\n" + H + b"\r\n", 405, NOT_ALLOWED, CLOSE),
    (36, b"GET /v1/mo dels HTTP/1.1\r\n" + H + b"\r\n", 400, INVALID, CLOSE),
    (36, b"GET /v1/models#x HTTP/1.1\r\n" + H + b"\r\n", 400, INVALID, CLOSE),
    (36, b"GET /v1/models\x80 HTTP/1.1\r\n" + H + b"\r\n", 400, INVALID, CLOSE),
    (36, b"GET http://evil.example/v1/models HTTP/1.1\r\n" + H + b"\r\n", 400, INVALID, CLOSE),
    (37, GET + b"\r\n", 400, INVALID, CLOSE),
    (37, GET + H + H + b"\r\n", 400, INVALID, CLOSE),
    (37, GET + b"Host: a@b\r\n\r\n", 400, INVALID, CLOSE),
    (38, GET + H + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n", 200, "", OPEN),
    (38, GET + H + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 200, "", OPEN),
    (39, b"TRACE /v1/models HTTP/1.1\r\n" + H + b"\r\n", 405, NOT_ALLOWED, CLOSE),
    (39, b"CONNECT localhost:80 HTTP/1.1\r\n" + H + b"\r\n", 501, UNIMPLEMENTED, CLOSE),
    (40, P + H + J + b"Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n", 413, TOO_LARGE, CLOSE),
]

# Against a gateway that has keys.
KEYS = [
    (41, get(b"/v1/models"), 401, "UNAUTHENTICATED", OPEN),
    (42, get(b"/v1/models", b"Authorization: Bearer\r\n"), 401, "UNAUTHENTICATED", OPEN),
    (42, get(b"/v1/models", b"Authorization: Bearer \r\n"), 401, "UNAUTHENTICATED", OPEN),
    (43, get(b"/v1/models", b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n"), 400, INVALID, OPEN),
    (44, get(b"/v1/models", b"Authorization: Basic dXNlcjpwYXNz\r\n"), 401, "UNAUTHENTICATED", OPEN),
    (45, get(b"/v1/models", b"Authorization: Bearer " + b"k" * (1 << 20) + b"\r\n"), 431, TOO_LARGE, CLOSE),
    (46, get(b"/v1/models", b"Authorization: Bearer @RIGHT_PREFIX@\r\n"), 401, "UNAUTHENTICATED", OPEN),
    (47, get(b"/v1/models", b"Authorization: Bearer ' OR '1'='1\r\n"), 401, "UNAUTHENTICATED", OPEN),
    (47, get(b"/v1/models", b"Authorization: Bearer '; DROP TABLE keys\r\n"), 401, "UNAUTHENTICATED", OPEN),
    (47, get(b"/v1/models", b"Authorization: Bearer \\u0000\r\n"), 401, "UNAUTHENTICATED", OPEN),
    (47, get(b"/v1/models", b"Authorization: Bearer %27\r\n"), 401, "UNAUTHENTICATED", OPEN),
    (75, get(b"/v1/models", b"Connection: authorization, x-api-key\r\nAuthorization: Bearer @RIGHT@\r\n"), 200, "", OPEN),
    (75, get(b"/v1/models", b"Connection: authorization, x-api-key\r\nAuthorization: Bearer @RIGHT_PREFIX@\r\n"), 401,
     "UNAUTHENTICATED", OPEN),
    (75, get(b"/v1/models", b"Connection: authorization, x-api-key\r\n"), 401, "UNAUTHENTICATED", OPEN),
    (48, get(b"/v1/models", b"Authorization: Bearer a\rb\r\n"), 400, INVALID, CLOSE),
    (48, get(b"/v1/models", b"Authorization: Bearer a\nb\r\n"), 400, INVALID, CLOSE),
]

ELSEWHERE = (b"x-portkey-custom-host: 127.0.0.1:@SINK@\r\nx-envoy-original-dst-host: 127.0.0.1:@SINK@\r\n"
             b"x-target-url: http://127.0.0.1:@SINK@/\r\n")
ROUTING = [
    (61, chat(api_base="http://127.0.0.1:@SINK@/v1"), 400, INVALID, OPEN),
    (62, chat(base_url="http://127.0.0.1:@SINK@/v1"), 400, INVALID, OPEN),
    (62, chat(endpoint="http://127.0.0.1:@SINK@/v1"), 400, INVALID, OPEN),
    (62, chat(provider={"url": "http://127.0.0.1:@SINK@/v1"}), 400, INVALID, OPEN),
    *[(63, get(path, ELSEWHERE), 200, "", OPEN) for path in
      (b"/v1/models", b"/api/v1/models", b"/v1/models/t/m", b"/v1/model/t/m", b"/v1/models/t/m/endpoints", b"/v1/providers")],
    *[(63, post({"model": "t/m", "messages": USER}, ELSEWHERE, path=path), 200, "", OPEN) for path in
      (b"/v1/chat/completions", b"/api/v1/chat/completions")],
    (63, post({"input": "x"}, ELSEWHERE, path=b"/v1/embeddings"), 501, UNIMPLEMENTED, CLOSE),
    (64, chat(api_key="sk-x"), 400, INVALID, OPEN),
    (65, chat(extra_headers={"Authorization": "x"}), 400, INVALID, OPEN),
    (66, chat(model="openai/../../admin"), 400, "MODEL_NOT_FOUND", OPEN),
    (66, chat(model="a%2fb"), 400, "MODEL_NOT_FOUND", OPEN),
    (69, chat(messages=data_url("http://169.254.169.254/latest/meta-data/")), *UNTAKEN, OPEN),
    (69, chat(messages=data_url("https://[fd00:ec2::254]/")), *UNTAKEN, OPEN),
    (70, chat(messages=data_url("file:///etc/passwd")), *UNTAKEN, OPEN),
    (70, chat(messages=data_url("gopher://x/")), *UNTAKEN, OPEN),
    (70, chat(messages=data_url("unix:/run/x.sock")), *UNTAKEN, OPEN),
    (74, post({"model": "t/m", "messages": USER}, b"X-Title: a\rX-Evil: 1\r\n"), 400, INVALID, CLOSE),
    (74, post({"model": "t/m", "messages": USER}, b"HTTP-Referer: a\nX-Evil: 1\r\n"), 400, INVALID, CLOSE),
    (74, post({"model": "t/m", "messages": USER}, b"X-Request-Id: a\0b\r\n"), 400, INVALID, CLOSE),
    (72, chat(model="t/redirect"), 502, "UPSTREAM_UNAVAILABLE", OPEN),
    (74, chat(user="a\r\nX-Injected: 1", temperature=9), 400, INVALID, OPEN),
    (74, get(b"/v1/models", b"X-Title: a\rX-Injected: 1\r\n"), 400, INVALID, CLOSE),
    (74, get(b"/v1/models", b"X-Request-Id: a\nX-Injected: 1\r\n"), 400, INVALID, CLOSE),
    (94, chat(model="t/cookies"), 200, "", OPEN),
    (95, chat(model="t/401"), 502, "UPSTREAM_CREDENTIAL", OPEN),
    (116, get(b"/debug"), 404, NOT_FOUND, OPEN),
    (116, get(b"/config"), 404, NOT_FOUND, OPEN),
    (116, get(b"/config/update"), 404, NOT_FOUND, OPEN),
    (116, get(b"/.env"), 404, NOT_FOUND, OPEN),
    (116, get(b"/metrics"), 404, NOT_FOUND, OPEN),
    (117, get(b"/v1//models"), 404, NOT_FOUND, OPEN),
    (117, get(b"/v1/./models"), 404, NOT_FOUND, OPEN),
    (117, get(b"/v1/%6dodels"), 404, NOT_FOUND, OPEN),
    (117, get(b"/v1/%2e/models"), 404, NOT_FOUND, OPEN),
    (117, get(b"/v1/models;x"), 404, NOT_FOUND, OPEN),
    (117, get(b"/V1/models"), 404, NOT_FOUND, OPEN),
    (117, post({}, path=b"/v1//chat/completions"), 404, NOT_FOUND, CLOSE),
    (118, get(b"/v1/chat/completions"), 405, NOT_ALLOWED, OPEN),
    (119, chat(provider={"data_collection": "deny"}), 404, "PRIVACY_RESTRICTED", OPEN),
    (120, chat(model="t/private", provider={"data_collection": "allow"}), 404, "PRIVACY_RESTRICTED", OPEN),
    (121, chat(provider={"only": ["no-such-provider"]}), 400, INVALID, OPEN),
    (124, get(b"/v1/models", b"Origin: https://evil.example\r\n"), 403, FORBIDDEN, OPEN),
    (124, get(b"/v1/models", b"Origin: null\r\n"), 403, FORBIDDEN, OPEN),
]
TALKS = {63: 1, 72: 1, 88: 1, 94: 1, 95: 1}  # rows whose subject is what a provider says: how many calls it gets at most (a key is benched)

RECURSIVE = {"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}
DEEP = b"[" * 65 + b"]" * 65
BODY = [
    (76, post(b'{"a":"\xff"}'), 400, INVALID, OPEN),
    (76, post(b'{"a":"\xc0\x80"}'), 400, INVALID, OPEN),
    (76, post(b"\xff\xfe{\0}\0"), 400, INVALID, OPEN),
    (77, post(b'{"a":"\\ud800"}'), 400, INVALID, OPEN),
    (78, raw(b'"model":"t/n"'), 400, INVALID, OPEN),
    (79, raw(b'"mod\\u0065l":"t/n"'), 400, INVALID, OPEN),
    # inside what is sent on as it came, too
    (78, raw(b'"x":{"a":1,"a":2}'), 400, INVALID, OPEN),
    (79, raw(b'"image_config":{"a":[{"b":1,"\\u0062":2}]}'), 400, INVALID, OPEN),
    (78, raw(b'"logit_bias":{"5":1,"05":2}'), 400, INVALID, OPEN),
    # counts and depths beyond a limit are TOO_LARGE
    (80, raw(b'"x":' + DEEP), 413, TOO_LARGE, OPEN),
    (80, post(b"[" * 100_000), 413, TOO_LARGE, OPEN),
    (81, raw(b'"temperature":1e400'), 400, INVALID, OPEN),
    (81, raw(b'"temperature":1e999999999'), 400, INVALID, OPEN),
    (81, raw(b'"seed":18446744073709551616'), 400, INVALID, OPEN),
    (81, raw(b'"x":[1e400]'), 400, INVALID, OPEN),
    (82, raw(b'"max_tokens":-1'), 400, INVALID, OPEN),
    (82, raw(b'"max_tokens":0'), 400, INVALID, OPEN),
    (82, raw(b'"max_tokens":2147483648'), 400, INVALID, OPEN),
    (82, raw(b'"max_tokens":"10"'), 400, INVALID, OPEN),
    (82, raw(b'"max_tokens":1.5'), 400, INVALID, OPEN),
    (83, raw(b'"temperature":NaN'), 400, INVALID, OPEN),
    (83, raw(b'"temperature":3'), 400, INVALID, OPEN),
    (83, raw(b'"temperature":"hot"'), 400, INVALID, OPEN),
    (84, chat(messages=[]), 400, INVALID, OPEN),
    (84, chat(messages=None), 400, INVALID, OPEN),
    (84, post({"model": "t/m", "messages": USER * 100_001}), 413, TOO_LARGE, OPEN),
    (85, chat(messages=[{"role": "wizard", "content": "hi"}]), 400, INVALID, OPEN),
    (85, chat(messages=[{"role": "user", "content": 5}]), 400, INVALID, OPEN),
    (86, chat(stream="true"), 400, INVALID, OPEN),
    (87, chat(n=1_000_000), 400, INVALID, OPEN),
    (87, chat(logit_bias={str(i): 1 for i in range(100_001)}), 413, TOO_LARGE, OPEN),
    (87, chat(stop=["a"] * 100_000), 413, TOO_LARGE, OPEN),
    (88, chat(tools=[{"type": "function", "function": {"name": "f", "parameters": RECURSIVE}}]), 200, "", OPEN),
    (89, chat(messages=data_url("data:image/png;base64,iVBORw0KGg=")), *UNTAKEN, OPEN),
    (89, P + H + J + b"Content-Length: 104857600\r\n\r\n", 413, TOO_LARGE, CLOSE),
    (90, post(b"\xef\xbb\xbf{}"), 400, INVALID, OPEN),
    (90, post(b"{} x"), 400, INVALID, OPEN),
    (90, post(b"{}{}"), 400, INVALID, OPEN),
    (91, post(b"{}", content_type=b"Content-Type: text/plain\r\n"), 415, INVALID, CLOSE),
    (91, post(b"{}", content_type=b""), 415, INVALID, CLOSE),
    (91, post(b"{}", content_type=b"Content-Type: application/json; charset=utf-16\r\n"), 415, INVALID, CLOSE),
    (92, post(b"{}", b"Content-Encoding: gzip\r\n"), 415, INVALID, CLOSE),
    (93, post(b""), 400, INVALID, OPEN),
]
