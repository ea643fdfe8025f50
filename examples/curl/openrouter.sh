#!/bin/sh
# What OpenRouter's quickstart shows with curl, and its catalog: only the base URL differs.
#     OPENROUTER_BASE_URL=http://127.0.0.1:7360/api/v1 MODEL=demo/echo-1 examples/curl/openrouter.sh
set -eu
base=${OPENROUTER_BASE_URL:-http://127.0.0.1:7360/api/v1}
model=${MODEL:-demo/echo-1}

echo "== a stream: usage comes always, the route because it is asked for"
curl -sSN --fail-with-body "$base/chat/completions" -H 'Content-Type: application/json' \
    -H 'Authorization: Bearer unused' -H 'X-OpenRouter-Metadata: enabled' -d @- <<JSON
{"model": "$model", "messages": [{"role": "user", "content": "Say hello."}], "stream": true}
JSON
echo "== what this service may use"
curl -sS --fail-with-body "$base/models?sort=pricing-low-to-high&limit=2"
echo
echo "== who serves it, in the order in which they are tried"
curl -sS --fail-with-body "$base/models/$model/endpoints"
echo
