"""An error whose body does not come to an end: judged by what has come, and the next endpoint answers."""
import time

import pytest

from gateway import SECRETS, Remora


@pytest.mark.parametrize("is_stream", [False, True], ids=["unary", "stream"])
@pytest.mark.parametrize("fault, least, most", [("500-endless", 0, 4), ("500-drip-100ms", 4.5, 9)])
def test_an_error_without_end_falls_back(upstream, fault, least, most, is_stream):
    config = f"""
version: 1
service: checkout
providers:
  a: {{kind: openai, base_url: "{upstream.base_url}", api_key: {{env: A_SECRET}}}}
  b: {{kind: openai, base_url: "{upstream.base_url}", api_key: {{env: B_SECRET}}}}
models:
  t/m: {{endpoints: [{{provider: a, model_id: {fault}}}, {{provider: b, model_id: ok}}]}}
"""
    with Remora(config, environment=SECRETS) as remora:
        began = time.monotonic()
        if is_stream:
            stream = remora.stream({"model": "t/m"})
            assert stream.is_done and stream.chunks[0]["provider"] == "b"
        else:
            status, _, body = remora.chat({"model": "t/m"})
            assert status == 200 and body["provider"] == "b"
            assert [a.get("reason") for a in body["remora"]["attempts"]] == ["UPSTREAM_OVERLOADED", None]
        assert least < time.monotonic() - began < most
