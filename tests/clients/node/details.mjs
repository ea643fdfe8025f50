// As tests/clients/go/details.go, with grpc-js, and the types of google/rpc/*.proto read by protobufjs.
//
// usage: node details.mjs ADDRESS PROTO_FOLDER < jobs
import grpc from "@grpc/grpc-js";
import protobuf from "protobufjs";
import { text } from "node:stream/consumers";

const [address, folder] = process.argv.slice(2);
const root = new protobuf.Root();
root.resolvePath = (_, target) => (target.startsWith("google/protobuf/") ? target : `${folder}/${target}`);
root.loadSync(["google/rpc/status.proto", "google/rpc/error_details.proto"]);

const shown = {
  ErrorInfo: (d) => ({ reason: d.reason, domain: d.domain, metadata: d.metadata }),
  RetryInfo: (d) => Number(d.retryDelay.seconds) * 1000 + Math.round(d.retryDelay.nanos / 1e6),
  BadRequest: (d) => [d.fieldViolations[0].field],
  QuotaFailure: (d) => [d.violations[0].subject],
};

function told(error) {
  const out = { code: error.code, message: error.details };
  const status = root.lookupType("google.rpc.Status").decode(error.metadata.get("grpc-status-details-bin")[0]);
  for (const any of status.details) {
    const name = any.type_url.split("/")[1].replace("google.rpc.", "");
    if (shown[name]) out[name] = shown[name](root.lookupType(`google.rpc.${name}`).decode(any.value));
  }
  return out;
}

const client = new grpc.Client(address, grpc.credentials.createInsecure());
const same = (bytes) => bytes;
const results = [];
for (const job of JSON.parse(await text(process.stdin))) {
  results.push(await new Promise((resolve) => {
    client.makeUnaryRequest(job.method, same, same, Buffer.from(job.message, "base64"), { deadline: Date.now() + 30000 },
      (error) => resolve(error ? told(error) : { code: 0 }));
  }));
}
client.close();
console.log(JSON.stringify(results));
