// Runs jobs with the official clients and prints what they made of the answers, in one normal form for all of them.
//
// stdin:  [{client: "openai" | "openrouter" | "vercel", baseURL, do: "chat" | "models" | "model" | ..., body, stream, id}]
// stdout: [{choices: [{index, role, content, refusal, reasoning, tool_calls, finish_reason}], usage} | {error} | {...}]
import OpenAI from "openai";
import { createOpenRouter } from "@openrouter/ai-sdk-provider";
import { OpenRouter } from "@openrouter/sdk";
import { text } from "node:stream/consumers";

const orNull = (value) => (value === undefined ? null : value);

function call(c) {
  return { id: c.id, name: c.function.name, arguments: c.function.arguments };
}

function choice(index, message, finish) {
  return {
    index,
    role: message.role,
    content: message.content || null, // of an empty message the stream of openai makes null
    refusal: orNull(message.refusal),
    reasoning: orNull(message.reasoning),
    tool_calls: (message.tool_calls ?? message.toolCalls ?? []).map(call),
    finish_reason: orNull(finish),
  };
}

function usage(u) {
  if (!u) return null;
  return {
    prompt: u.prompt_tokens ?? u.promptTokens,
    completion: u.completion_tokens ?? u.completionTokens,
    total: u.total_tokens ?? u.totalTokens,
    cost: orNull(u.cost),
  };
}

// ---- openai: its own accumulator; fields that are OpenRouter's it overwrites, so reasoning is added up here

async function openaiStream(client, body) {
  const reasoning = {};
  const stream = client.chat.completions.stream(body);
  stream.on("chunk", (chunk) => {
    for (const c of chunk.choices) {
      if (c.delta.reasoning) reasoning[c.index] = (reasoning[c.index] ?? "") + c.delta.reasoning;
    }
  });
  const done = await stream.finalChatCompletion();
  return {
    choices: done.choices.map((c) => choice(c.index, { ...c.message, reasoning: reasoning[c.index] }, c.finish_reason)),
    usage: usage(done.usage),
  };
}

const openaiDoes = {
  async chat(client, job) {
    if (job.stream) return openaiStream(client, job.body);
    const done = await client.chat.completions.create(job.body);
    return {
      choices: done.choices.map((c) => choice(c.index, c.message, c.finish_reason)),
      usage: usage(done.usage),
      metadata: orNull(done.openrouter_metadata),
    };
  },
  async models(client) {
    const ids = [];
    for await (const model of client.models.list()) ids.push(model.id);
    return { ids };
  },
  async model(client, job) {
    const { id, owned_by } = await client.models.retrieve(job.id);
    return { id, owned_by };
  },
};

// ---- openrouter: every chunk and answer has passed its schemas; it has no accumulator

function camel(value) {
  if (Array.isArray(value)) return value.map(camel);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value).map(([k, v]) => [k.replace(/_(.)/g, (_, c) => c.toUpperCase()), k === "parameters" ? v : camel(v)]),
  );
}

function add(message, delta) {
  for (const key of ["content", "refusal", "reasoning"]) {
    if (typeof delta[key] === "string") message[key] = (message[key] ?? "") + delta[key];
  }
  if (delta.role) message.role = delta.role;
  for (const c of delta.toolCalls ?? []) {
    const slot = ((message.toolCalls ??= [])[c.index] ??= { id: "", function: { name: "", arguments: "" } });
    slot.id += c.id ?? "";
    slot.function.name += c.function?.name ?? "";
    slot.function.arguments += c.function?.arguments ?? "";
  }
  for (const { index, ...more } of delta.reasoningDetails ?? []) {
    const block = ((message.reasoningDetails ??= [])[index] ??= { index });
    for (const [key, value] of Object.entries(more)) {
      block[key] = ["text", "summary", "data"].includes(key) ? (block[key] ?? "") + value : value;
    }
  }
}

async function openrouterHears(client, request) {
  const messages = [];
  const finishes = [];
  let last = null;
  let metadata = null;
  for await (const chunk of await client.chat.send(request)) {
    if (chunk.error) throw Object.assign(new Error(chunk.error.message), { status: 200, code: chunk.error.code });
    for (const c of chunk.choices) {
      add((messages[c.index] ??= {}), c.delta);
      if (c.finishReason) finishes[c.index] = c.finishReason;
    }
    last = chunk.usage ?? last;
    metadata = chunk.openrouterMetadata ?? metadata;
  }
  return { messages, finishes, last, metadata };
}

async function openrouterStream(client, request) {
  const { messages, finishes, last, metadata } = await openrouterHears(client, request);
  return { choices: messages.map((m, i) => choice(i, m, finishes[i])), usage: usage(last), metadata };
}

const openrouterDoes = {
  async chat(client, job) {
    const request = { chatRequest: camel({ ...job.body, stream: job.stream }) };
    if (job.metadata) request.xOpenRouterMetadata = "enabled";
    if (job.stream) return openrouterStream(client, request);
    const done = await client.chat.send(request);
    return {
      choices: done.choices.map((c) => choice(c.index, c.message, c.finishReason)),
      usage: usage(done.usage),
      metadata: orNull(done.openrouterMetadata),
    };
  },
  // The message of an answer is the next one of the conversation.
  async again(client, job) {
    const request = { chatRequest: camel({ ...job.body, stream: job.stream }) };
    const said = job.stream ? (await openrouterHears(client, request)).messages[0] : (await client.chat.send(request)).choices[0].message;
    const messages = [...job.body.messages, said, ...job.body.messages];
    await client.chat.send({ chatRequest: { ...camel(job.body), messages } });
    return {};
  },
  async models(client, job) {
    const ids = [];
    for await (const page of await client.models.list(camel(job.query ?? {}))) ids.push(...page.result.data.map((m) => m.id));
    return { ids };
  },
  async user_models(client) {
    const ids = [];
    for await (const page of await client.models.listForUser({ bearer: "unused" })) ids.push(...page.result.data.map((m) => m.id));
    return { ids };
  },
  async model(client, job) {
    const [author, slug] = job.id.split("/");
    return { id: (await client.models.get({ author, slug })).data.id };
  },
  async count(client) {
    return { count: (await client.models.count()).data.count };
  },
  async endpoints(client, job) {
    const [author, slug] = job.id.split("/");
    const { data } = await client.endpoints.list({ author, slug });
    return { id: data.id, tags: data.endpoints.map((e) => e.tag) };
  },
  async zdr(client) {
    return { tags: (await client.endpoints.listZdrEndpoints()).data.map((e) => e.tag) };
  },
  async providers(client) {
    return { slugs: (await client.providers.list()).data.map((p) => p.slug) };
  },
};

// ---- vercel: the provider of Vercel's AI SDK for OpenRouter; every answer has passed its schemas, which are stricter than OpenRouter's own

function heard(parts, usage, finish) {
  const said = (type, key) => parts.filter((p) => p.type === type).map((p) => p[key]).join("") || null;
  const calls = parts.filter((p) => p.type === "tool-call").map((p) => ({ id: p.toolCallId, name: p.toolName, arguments: p.input }));
  return {
    content: said("text", "text") ?? said("text-delta", "delta"),
    reasoning: said("reasoning", "text") ?? said("reasoning-delta", "delta"),
    tool_calls: calls,
    finish_reason: finish.unified,
    prompt: orNull(usage.inputTokens.total),
    completion: orNull(usage.outputTokens.total),
    cached: orNull(usage.inputTokens.cacheRead),
  };
}

async function vercelChat(client, job) {
  const tools = job.body.tools?.map(({ function: f }) => ({ type: "function", name: f.name, inputSchema: f.parameters }));
  const prompt = job.body.messages.map((m) => ({ role: m.role, content: [{ type: "text", text: m.content }] }));
  const model = client.chat(job.body.model);
  if (!job.stream) {
    const done = await model.doGenerate({ prompt, tools });
    return heard(done.content, done.usage, done.finishReason);
  }
  const parts = [];
  for await (const part of (await model.doStream({ prompt, tools })).stream) {
    if (part.type === "error") throw part.error;
    parts.push(part);
  }
  const last = parts.find((p) => p.type === "finish");
  return heard(parts, last.usage, last.finishReason);
}

async function run(job) {
  try {
    if (job.client === "vercel") {
      return await vercelChat(createOpenRouter({ baseURL: job.baseURL, apiKey: "unused" }), job);
    }
    if (job.client === "openai") {
      const client = new OpenAI({ baseURL: job.baseURL, apiKey: "unused", maxRetries: 0 });
      return await openaiDoes[job.do](client, job);
    }
    const client = new OpenRouter({ serverURL: job.baseURL, apiKey: "unused", retryConfig: { strategy: "none" } });
    return await openrouterDoes[job.do](client, job);
  } catch (e) {
    return { error: { name: e.name, status: orNull(e.status ?? e.statusCode), message: e.message, code: orNull(e.code ?? e.error?.code) } };
  }
}

const results = [];
for (const job of JSON.parse(await text(process.stdin))) results.push(await run(job));
console.log(JSON.stringify(results));
