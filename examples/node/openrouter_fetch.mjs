// What OpenRouter's quickstart shows with fetch: only the base URL differs. No package is needed.
//
//     OPENROUTER_BASE_URL=http://127.0.0.1:7360/api/v1 node openrouter_fetch.mjs demo/echo-1
const base = process.env.OPENROUTER_BASE_URL ?? "http://127.0.0.1:7360/api/v1";
const model = process.argv[2] ?? "demo/echo-1";

function ask(body, headers = {}) {
  return fetch(`${base}/chat/completions`, {
    method: "POST",
    headers: {
      Authorization: "Bearer unused", // a sidecar on loopback ignores it
      "HTTP-Referer": "https://example.com",
      "X-Title": "Example",
      "Content-Type": "application/json",
      ...headers,
    },
    body: JSON.stringify({ model, messages: [{ role: "user", content: "Say hello." }], ...body }),
  });
}

const answer = await (await ask({ provider: { allow_fallbacks: true } })).json();
console.log("unary:", answer.choices[0].message.content, "USD", answer.usage.cost);

// A stream is lines of server-sent events; comments begin with ':' and are skipped.
const response = await ask({ stream: true }, { "X-OpenRouter-Metadata": "enabled" });
let rest = "";
for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
  const lines = (rest + piece).split("\n");
  rest = lines.pop();
  for (const line of lines) {
    if (!line.startsWith("data: ") || line === "data: [DONE]") continue;
    const chunk = JSON.parse(line.slice(6));
    process.stdout.write(chunk.choices[0]?.delta.content ?? "");
    if (chunk.usage) console.log("\nusage:", chunk.usage.total_tokens, "tokens");
    for (const attempt of chunk.openrouter_metadata?.attempts ?? []) console.log("tried", attempt.provider, attempt.status);
  }
}
