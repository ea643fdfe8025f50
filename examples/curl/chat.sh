#!/bin/sh
# The OpenAI API with curl: one answer at once, one as a stream, and what a refusal looks like.
#     REMORA_URL=http://127.0.0.1:7360 MODEL=demo/echo-1 examples/curl/chat.sh
set -eu
url=${REMORA_URL:-http://127.0.0.1:7360}
model=${MODEL:-demo/echo-1}

echo "== unary"
curl -sS --fail-with-body "$url/v1/chat/completions" -H 'Content-Type: application/json' -d @- <<JSON
{"model": "$model", "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 50}
JSON
echo
echo "== stream"
curl -sSN --fail-with-body "$url/v1/chat/completions" -H 'Content-Type: application/json' -d @- <<JSON
{"model": "$model", "messages": [{"role": "user", "content": "Say hello."}], "stream": true,
 "stream_options": {"include_usage": true}}
JSON
echo "== narrowed to a provider that does not exist: 400, and the field is named"
curl -sS "$url/v1/chat/completions" -H 'Content-Type: application/json' -d @- <<JSON
{"model": "$model", "messages": [{"role": "user", "content": "Say hello."}], "provider": {"only": ["nobody"]}}
JSON
echo
