// OpenRouter's own SDK: only the server's URL differs.
//
//     npm install --no-package-lock
//     OPENROUTER_BASE_URL=http://127.0.0.1:7360/api/v1 node openrouter_sdk.mjs demo/echo-1
import { OpenRouter } from "@openrouter/sdk";

const client = new OpenRouter({
  serverURL: process.env.OPENROUTER_BASE_URL ?? "http://127.0.0.1:7360/api/v1",
  apiKey: "unused", // a sidecar on loopback ignores it
});
const model = process.argv[2] ?? "demo/echo-1";
const messages = [{ role: "user", content: "Say hello." }];

const { data } = await client.models.count();
console.log("models:", data.count);

const answer = await client.chat.send({ chatRequest: { model, messages } });
console.log("unary:", answer.choices[0].message.content, "USD", answer.usage.cost);

const stream = await client.chat.send({ chatRequest: { model, messages, stream: true } });
for await (const chunk of stream) {
  process.stdout.write(chunk.choices[0]?.delta.content ?? "");
  if (chunk.usage) console.log("\nusage:", chunk.usage.totalTokens, "tokens");
}

const [author, slug] = model.split("/");
const endpoints = await client.endpoints.list({ author, slug });
console.log("endpoints:", endpoints.data.endpoints.map((e) => e.tag).join(" "));
