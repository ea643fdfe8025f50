#!/bin/sh
# The main job, shown: starts `remora demo`, makes one HTTP and one gRPC call, both streaming, in which the first provider
# fails and the second one answers, prints both answers with the route they took, stops, and says what to type next.
set -eu
build=${1:-build}
# Calls to this machine; a proxy that curl and gRPC find in the environment has no part in them.
unset http_proxy HTTP_PROXY https_proxy HTTPS_PROXY all_proxy ALL_PROXY grpc_proxy GRPC_PROXY
work=$(mktemp -d)
server=""
stop() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    [ -z "$server" ] || wait "$server" 2>/dev/null || true
    rm -rf "$work"
}
trap stop EXIT
trap 'exit 130' INT HUP TERM PIPE # whoever reads our output may leave

# Ports of its own choice, so that nothing that runs here is in the way.
"$build/remora" demo --http 127.0.0.1:0 --grpc 127.0.0.1:0 --probe 127.0.0.1:0 --admin off >"$work/out" 2>"$work/log" &
server=$!
tries=0
until grep -q '"message":"ready"' "$work/log" 2>/dev/null; do
    tries=$((tries + 1))
    if [ "$tries" -gt 200 ] || ! kill -0 "$server" 2>/dev/null; then
        echo "run: the demo did not start:" >&2
        cat "$work/log" >&2
        exit 1
    fi
    sleep 0.05
done
port() { sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p" "$work/log" | head -n 1; }
http=$(port http_port)
grpc=$(port grpc_port)

echo "== HTTP: POST /v1/chat/completions, stream =="
curl -sSN --max-time 20 "http://127.0.0.1:$http/v1/chat/completions" -H 'Content-Type: application/json' \
    -d '{"model":"demo/echo-1","stream":true,"messages":[{"role":"user","content":"Hello over HTTP"}]}' >"$work/sse"
python3 - "$work/sse" <<'PY'
import json, sys
text, route, done = "", None, False
for line in open(sys.argv[1], encoding="utf-8"):
    if not line.startswith("data: "):
        continue
    data = line[6:].strip()
    if data == "[DONE]":
        done = True
        continue
    chunk = json.loads(data)
    if "error" in chunk:
        sys.exit(f"run: the stream failed: {chunk['error']}")
    for choice in chunk["choices"]:
        text += choice["delta"].get("content") or ""
    route = chunk.get("remora") or route
print(text)
print("route:")
for attempt in (route or {}).get("attempts", []):
    how = attempt.get("reason") or "answered"
    status = attempt.get("http_status")
    print(f"  {attempt['provider']} ({attempt['model']}): {how}" + (f", HTTP {status}" if how != "answered" else ""))
if not done or not text or not route or len(route["attempts"]) < 2:
    sys.exit("run: expected an answer by fallback over HTTP")
PY
echo
echo "== gRPC: remora.v1.ChatService/StreamChat =="
"$build/examples/chat_stream" "127.0.0.1:$grpc" demo/echo-1 "Hello over gRPC" >"$work/grpc"
cat "$work/grpc"
grep -q answered "$work/grpc" && grep -q UPSTREAM_OVERLOADED "$work/grpc" || {
    echo "run: expected an answer by fallback over gRPC" >&2
    exit 1
}
kill "$server"
wait "$server" || { echo "run: the demo ended with an error" >&2; cat "$work/log" >&2; exit 1; }
server=""
cat <<'NEXT'

Both worked: the first provider failed, the second one answered. The server is stopped. Next:

  build/remora demo          # leave it running, then in another terminal:
  curl -N http://127.0.0.1:7360/v1/chat/completions -H 'Content-Type: application/json' \
    -d '{"model":"demo/echo-1","stream":true,"messages":[{"role":"user","content":"Hello"}]}'
  grpcurl -plaintext -d '{"chat":{"model":"demo/echo-1","messages":[{"role":"ROLE_USER","parts":[{"text":"Hello"}]}]}}' \
    127.0.0.1:7361 remora.v1.ChatService/StreamChat
  export OPENAI_BASE_URL=http://127.0.0.1:7360/v1 OPENAI_API_KEY=unused   # any OpenAI SDK

With a real provider: export OPENAI_API_KEY=... and run build/remora serve.
NEXT
