// remora.v1.ChatService from Node: unary, a stream with its fallback, typed error details, a deadline, cancelling.
//
//     make stubs LANGUAGES=node
//     cd examples/grpc/node && npm ci && npm run build && npm start -- 127.0.0.1:7361
import { readFileSync } from "node:fs";
import { credentials, Metadata, ServiceError, status } from "@grpc/grpc-js";
import { ChatRequest, ChatResponse, ChatServiceClient, Role, StreamChatRequest, StreamChatResponse } from "remora-grpc";
import { BadRequest, ErrorInfo, Status } from "remora-grpc/google/rpc";

const ca = process.env.REMORA_CA; // where the gateway is not a sidecar
const security = ca ? credentials.createSsl(readFileSync(ca)) : credentials.createInsecure();
const chat = new ChatServiceClient(process.argv[2] ?? "127.0.0.1:7361", security, {
  "grpc.enable_retries": 0, // the gateway asks other providers; a second call would be a second answer to pay for
  "grpc.max_receive_message_length": 32 << 20, // answers may hold pictures; the default is 4 MiB
  "grpc.keepalive_time_ms": 30_000,
});

const metadata = new Metadata({ waitForReady: true }); // a sidecar may start after the service
if (process.env.REMORA_API_KEY) {
  metadata.set("authorization", `Bearer ${process.env.REMORA_API_KEY}`); // only where the gateway has keys
}

const within = (ms: number) => ({ deadline: Date.now() + ms });

function question(model = "demo/echo-1"): ChatRequest {
  return ChatRequest.create({
    model,
    messages: [{ role: Role.ROLE_USER, parts: [{ kind: { $case: "text", value: "Say hello." } }] }],
  });
}

// A call and its events: a stream of Node iterates over anything.
function start(ms: number) {
  const call = chat.streamChat(StreamChatRequest.create({ chat: question() }), metadata, within(ms));
  return { call, events: call as AsyncIterable<StreamChatResponse> };
}

// grpc-js answers to a callback.
function call(request: ChatRequest): Promise<ChatResponse> {
  return new Promise((resolve, reject) =>
    chat.chat(request, metadata, within(30_000), (error, answer) => (error ? reject(error) : resolve(answer))),
  );
}

async function unary() {
  const answer = await call(question());
  const part = answer.choices[0].message?.parts[0].kind;
  console.log("unary:", part?.$case === "text" ? part.value : part);
}

async function stream() {
  process.stdout.write("stream: ");
  for await (const { event } of start(30_000).events) {
    if (event?.$case === "text") {
      process.stdout.write(event.value.text);
    } else if (event?.$case === "completed") { // without it the text is not whole
      const route = event.value.route?.attempts.map((attempt) => `${attempt.provider} ${attempt.reason || "answered"}`);
      console.log("\nroute:", route?.join(", "));
    }
  }
}

async function refused() {
  try {
    await call(question("nobody/has-this"));
  } catch (error) {
    const { code, metadata } = error as ServiceError;
    const [details] = metadata.get("grpc-status-details-bin") as Buffer[];
    const find = (name: string) => Status.decode(details).details.find((any) => any.typeUrl.endsWith(name))!.value;
    const info = ErrorInfo.decode(find("google.rpc.ErrorInfo"));
    const bad = BadRequest.decode(find("google.rpc.BadRequest"));
    console.log("refused:", status[code], info.reason, "in", bad.fieldViolations[0].field);
  }
}

async function deadline() {
  try {
    for await (const _ of start(200).events);
  } catch (error) {
    console.log("deadline:", status[(error as ServiceError).code]);
  }
}

async function cancelled() {
  const { call, events } = start(30_000);
  for await (const { event } of events) {
    if (event?.$case === "text") {
      call.cancel(); // the gateway gives up its request to the provider
      console.log(`cancelled: after '${event.value.text}'`);
      break;
    }
  }
}

for (const show of [unary, stream, refused, deadline, cancelled]) {
  await show();
}
chat.close();
