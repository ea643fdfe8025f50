// The official OpenAI client: only the base URL differs.
//
//     npm install --no-package-lock
//     OPENAI_BASE_URL=http://127.0.0.1:7360/v1 OPENAI_API_KEY=unused node openai_chat.mjs demo/echo-1
import OpenAI from "openai";

const model = process.argv[2] ?? "demo/echo-1";
const client = new OpenAI(); // OPENAI_BASE_URL and OPENAI_API_KEY; a sidecar on loopback ignores the key
const messages = [{ role: "user", content: "Say hello." }];

console.log("models:", (await client.models.list()).data.map((m) => m.id).join(" "));

const answer = await client.chat.completions.create({ model, messages });
console.log("unary:", answer.choices[0].message.content);
console.log("served by", answer.provider, "as", answer.model); // OpenRouter's extra field

const stream = client.chat.completions.stream({ model, messages, stream_options: { include_usage: true } });
stream.on("content", (text) => process.stdout.write(text));
const done = await stream.finalChatCompletion();
console.log("\nusage:", done.usage.total_tokens, "tokens, USD", done.usage.cost);

try {
  await client.chat.completions.create({ model, messages, provider: { only: ["nobody"] } });
} catch (error) {
  console.log("refused:", error.param, "-", error.message);
}
