/*
 * Every refusal of a configuration document, as a table: the document, the path that is told, the place and a part of the
 * message. No variable is set and no file exists, except where a row's refusal is about them.
 */
#include "support.h"

#include "config_build.h"

#include <stdio.h>

struct refusal {
    const char *yaml;
    const char *path;
    const char *place; /* "LINE:COLUMN" */
    const char *part;
};

#define OWN(keys)      "providers:\n  acme: {kind: openai, base_url: \"http://127.0.0.1/v1\"" keys "}\n"
#define URL(url)       "providers: {acme: {kind: openai, base_url: \"" url "\"}}"
#define MODEL(keys)    OWN("") "models:\n  acme/a: " keys "\n"
#define ENDPOINT(keys) MODEL("{endpoints: [{provider: acme, model_id: a" keys "}]}")

static const struct refusal yaml_itself[] = {
    {"version: [1", "version", "2:1", "did not find expected"},
    {"a\tb: \x01", "", "1:6", "not UTF-8 text"},
    {"service: \"\xff\"", "", "1:11", "not UTF-8 text"},
    {"service: a\n---\nservice: b", "", "2:1", "a second document"},
    {"service: &x a", "", "1:10", "anchors and tags"},
    {"service: *x", "", "1:10", "aliases"},
    {"service: !!str a", "", "1:10", "anchors and tags"},
    {"policy: &x {}", "", "1:9", "anchors and tags"},
    {"hosts: !t [a]", "", "1:8", "anchors and tags"},
    {"service: a\nservice: b", "", "2:1", "\"service\" stands here twice"},
    {"providers: {openai: {}, openai: {}}", "providers", "1:25", "twice"},
    {"? [a]\n: b", "", "1:3", "a key must be text"},
    {"just text", "", "1:1", "expected a mapping"},
    {"[1]", "", "1:1", "expected a mapping"},
};

static const struct refusal keys[] = {
    {"servcie: a", "servcie", "1:1", "did you mean \"service\"?"},
    {"nothing_like_it: a", "nothing_like_it", "1:1", "unknown key \"nothing_like_it\""},
    {"services:\n  checkout:\n    models: {alow: []}", "services.checkout.models.alow", "3:14",
     "did you mean \"allow\"?"},
    {"policy: {provider: {zdr: true, only_: [a]}}", "policy.provider.only_", "1:32",
     "did you mean \"only\"?"},
    {OWN(", apikey: {env: A}"), "providers.acme.apikey", "2:57", "did you mean \"api_key\"?"},
    {"<<: {}", "<<", "1:1", "unknown key"},
};

static const struct refusal unbuilt[] = {
    {"state: {dir: /x}", "state", "1:8", "not built yet"},
    {"budgets: []", "budgets", "1:10", "not built yet"},
    {"ledger: {}", "ledger", "1:9", "not built yet"},
    {"telemetry: {}", "telemetry", "1:12", "not built yet"},
    {"policy: {provider: {sort: price}}", "policy.provider.sort", "1:27", "not built yet"},
    {"policy: {provider: {partition: none}}", "policy.provider.partition", "1:32", "not built yet"},
    {"policy: {provider: {preferred_min_throughput: 5}}",
     "policy.provider.preferred_min_throughput", "1:47", "not built yet"},
    {"policy: {provider: {preferred_max_latency: 5}}", "policy.provider.preferred_max_latency",
     "1:44", "not built yet"},
    {"policy: {provider: {options: {}}}", "policy.provider.options", "1:30", "not built yet"},
};

static const struct refusal types[] = {
    {"version: 2", "version", "1:10", "a whole number from 1 to 1"},
    {"version: one", "version", "1:10", "a whole number"},
    {"workers: 0", "workers", "1:10", "from 1 to 256"},
    {"workers: \"4\"", "workers", "1:10", "a whole number"},
    {"workers: 0x4", "workers", "1:10", "a whole number"},
    {"workers: 010", "workers", "1:10", "reads as octal"},
    {"deadlines: {connect_ms: 5_000}", "deadlines.connect_ms", "1:25", "leave the _ out"},
    {"policy: {provider: {max_price: {prompt: 1_0.5}}}", "policy.provider.max_price.prompt", "1:41",
     "leave the _ out"},
    {"deadlines: {connect_ms: \"5_000\"}", "deadlines.connect_ms", "1:25", "a whole number"},
    {"deadlines: {connect_ms: _5}", "deadlines.connect_ms", "1:25", "a whole number"},
    {"deadlines: {connect_ms: 0100}", "deadlines.connect_ms", "1:25", "reads as octal"},
    {ENDPOINT(", pricing: {prompt: 010}"), "models.acme/a.endpoints[0].pricing.prompt", "4:72",
     "reads as octal"},
    {"policy: {provider: {max_price: {prompt: 00.5}}}", "policy.provider.max_price.prompt", "1:41",
     "reads as octal"},
    {"workers: [4]", "workers", "1:10", "a whole number"},
    {"workers: 99999999999999999999", "workers", "1:10", "a whole number"},
    {"service:", "service", "1:9", "has no value"},
    {"service: ~", "service", "1:10", "has no value"},
    {"service: \"\"", "service", "1:10", "must have 1 to 128 bytes"},
    {"service: \"a\\nb\"", "service", "1:10", "control character"},
    {"service: [a]", "service", "1:10", "expected text"},
    {"mode: cluster", "mode", "1:7", "sidecar or gateway"},
    {"log: {level: loud}", "log.level", "1:14", "error, warn, info or debug"},
    {"hosts: a", "hosts", "1:8", "a list of texts"},
    {"hosts: [a, [b]]", "hosts[1]", "1:12", "expected text"},
    {"hosts: [a, ~]", "hosts[1]", "1:12", "has no value"},
    {"tls: {}", "tls", "1:6", "needs cert_file"},
    {"tls: {cert_file: /c}", "tls", "1:6", "needs key_file"},
    {"tls: {cert_file: /c, key_file: /k}", "tls.cert_file", "1:18", "/c"},
    {"listen: {unix_uids: [app]}", "listen.unix_uids[0]", "1:22", "a user id"},
    {"listen: {unix_uids: [0, 4294967295]}", "listen.unix_uids[1]", "1:25", "a user id"},
    {"listen: {unix_uids: []}", "listen.unix_uids", "1:21", "must have 1 to 64 entries"},
    {"grpc: {max_connection_age_ms: 999}", "grpc.max_connection_age_ms", "1:31", "from 1000 to"},
    {"grpc: {accept_old_core: yes}", "grpc.accept_old_core", "1:25", "true or false"},
    {"grpc: {accept_old_core: \"true\"}", "grpc.accept_old_core", "1:25", "true or false"},
    {"aliases: {a: [b]}", "aliases.a", "1:14", "expected text"},
    {"aliases: [a]", "aliases", "1:10", "names with texts"},
    {"providers: [a]", "providers", "1:12", "a mapping of names"},
    {"policy:", "policy", "1:8", "has no value"},
    {"policy: {provider: {max_price: }}", "policy.provider.max_price", "1:32", "has no value"},
    {"policy: a", "policy", "1:9", "a mapping"},
    {"policy: {models: {allow: \"*\"}}", "policy.models.allow", "1:26", "a list of texts"},
    {"policy: {models: {allow: }}", "policy.models.allow", "1:26", "a list of texts"},
    {"policy: {limits: {concurrency: 0}}", "policy.limits.concurrency", "1:32", "whole number"},
    {"policy: {provider: {zdr: ~}}", "policy.provider.zdr", "1:26", "true or false"},
    {"policy: {provider: {data_collection: some}}", "policy.provider.data_collection", "1:38",
     "allow or deny"},
    {"policy: {provider: {quantizations: [int4, int3]}}", "policy.provider.quantizations[1]",
     "1:43", "no such quantization"},
    {"policy: {provider: {max_price: {prompt: -1}}}", "policy.provider.max_price.prompt", "1:41",
     "a price in USD"},
    {"policy: {provider: {max_price: {prompt: }}}", "policy.provider.max_price.prompt", "1:41",
     "a price in USD"},
    {"policy: {provider: {max_price: {prompt: 99999999999}}}", "policy.provider.max_price.prompt",
     "1:41", "a price in USD"},
    {"policy: {provider: {max_attempts: 99}}", "policy.provider.max_attempts", "1:35",
     "whole number"},
    {"services: {\"\": {}}", "services.", "1:16", "a name has"},
    {"deadlines: {idle_ms: 0}", "deadlines.idle_ms", "1:22", "from 1 to 3600000"},
    {"attempts: {per_model: 99}", "attempts.per_model", "1:23", "whole number"},
    {"drain: {grace_ms: 3600001}", "drain.grace_ms", "1:19", "from 0 to 3600000"},
};

#define KEY "keys: {ci: {service: s, hash: {file: /h}}}"

static const struct refusal gateway_keys[] = {
    {"keys: [ci]", "keys", "1:7", "expected a mapping of names"},
    {"keys: {ci: {}}", "keys.ci", "1:12", "needs \"service\""},
    {"keys: {ci: {service: s}}", "keys.ci", "1:12", "needs \"hash\""},
    {"keys: {ci: {hash: {file: /h}}}", "keys.ci", "1:12", "needs \"service\""},
    {"keys: {ci: {service: s, hash: abc}}", "keys.ci.hash", "1:31", "never stands in the document"},
    {"keys: {ci: {service: s, hash: []}}", "keys.ci.hash", "1:31", "must have 1 to 4"},
    {"keys: {ci: {service: s, key: {file: /h}}}", "keys.ci.key", "1:25", "unknown key"},
    {"keys: {\"a b\": {service: s, hash: {file: /h}}}", "keys.a b", "1:15", "the name of a key"},
    {"keys: {\"\": {service: s, hash: {file: /h}}}", "keys.", "1:12", "the name of a key"},
    {"keys: {.a: {service: s, hash: {file: /h}}}", "keys..a", "1:12", "the name of a key"},
    {"keys: {ci: {service: s, hash: {file: /h}, limits: {concurrency: 0}}}",
     "keys.ci.limits.concurrency", "1:65", "whole number"},
    {"keys: {ci: {service: s, hash: {file: /h}, provider: {data_collection: maybe}}}",
     "keys.ci.provider.data_collection", "1:71", "expected allow or deny"},
};

static const struct refusal listeners[] = {
    {"listen: {http: \"0.0.0.0:7360\"}", "listen.http", "1:16", "beyond loopback"},
    {"listen: {grpc: \"[::]:7361\"}", "listen.grpc", "1:16", "beyond loopback"},
    {"listen: {admin: \"10.0.0.1:7363\"}", "listen.admin", "1:17", "need gateway keys"},
    {"listen: {admin: \"10.0.0.1:7363\"}\n" KEY, "listen.admin", "1:17", "admin may not be"},
    {"listen: {http: \"0.0.0.0:7360\"}\nkeys: {}", "listen.http", "1:16", "beyond loopback"},
    {"listen: {http: \"127.0.0.1\"}", "listen.http", "1:16", "expected HOST:PORT"},
    {"listen: {http: \":7360\"}", "listen.http", "1:16", "must be an IP address"},
    {"listen: {http: \"*:7360\"}", "listen.http", "1:16", "must be an IP address"},
    {"listen: {http: \"example.org:80\"}", "listen.http", "1:16", "must be an IP address"},
    {"listen: {http: \"127.1:80\"}", "listen.http", "1:16", "must be an IP address"},
    {"listen: {http: \"::1:80\"}", "listen.http", "1:16", "must be"},
    {"listen: {http: \"127.0.0.1:70000\"}", "listen.http", "1:16", "the port"},
    {"listen: {http: \"127.0.0.1:\"}", "listen.http", "1:16", "the port"},
    {"listen: {probe: \"unix:x\"}", "listen.probe", "1:17", "an absolute path"},
    {"listen: {http: \"127.0.0.1:9\", grpc: \"127.0.0.1:9\"}", "listen.grpc", "1:37",
     "listen.http (127.0.0.1:9) and listen.grpc (127.0.0.1:9) would be bound to the same"},
    {"listen: {http: \"127.0.0.1:7361\"}", "listen.http", "1:16", "listen.grpc (localhost:7361)"},
    {"listen: {http: \"127.0.0.1:9\", grpc: \"localhost:9\"}", "listen.grpc", "1:37",
     "listen.http"},
    {"listen: {probe: \"0.0.0.0:7363\"}", "listen.probe", "1:17", "listen.admin"},
    {"listen: {http: \"unix:/r/s\", admin: \"unix:/r/s\"}", "listen.admin", "1:36", "listen.http"},
    {"listen: {https: off}", "listen.https", "1:10", "did you mean \"http\"?"},
};

static const struct refusal providers[] = {
    {"providers: {opena: {}}", "providers.opena", "1:20", "did you mean 'openai'?"},
    {"providers: {my-own-server: {}}", "providers.my-own-server", "1:28", "has no kind"},
    {"providers: {acme: {kind: openai}}", "providers.acme", "1:19", "has no base_url"},
    {"providers: {acme: {kind: opnai}}", "providers.acme.kind", "1:26", "no such kind"},
    {"providers: {acme: {kind: openai, base_url: \"http://127.0.0.1/v1\", dialect: vlm}}",
     "providers.acme.dialect", "1:76", "lists them; did you mean 'vllm'?"},
    {"providers: {acme: {kind: openai, base_url: \"http://127.0.0.1/v1\", dialect: klingon}}",
     "providers.acme.dialect", "1:76", "no such dialect: docs/providers.md lists them"},
    {"providers: {ACME: {kind: openai}}", "providers.ACME", "1:19", "lower-case"},
    {"providers: {a/b: {kind: openai}}", "providers.a/b", "1:18", "lower-case"},
    {"providers: {openai: {api_key: sk-live}}", "providers.openai.api_key", "1:31",
     "a key never stands in the document"},
    {"providers: {openai: {api_key: {}}}", "providers.openai.api_key", "1:31", "{env: NAME}"},
    {"providers: {openai: {api_key: {env: A, file: /b}}}", "providers.openai.api_key", "1:31",
     "{env: NAME}"},
    {"providers: {openai: {api_key: []}}", "providers.openai.api_key", "1:31", "1 to 16 entries"},
    {"providers: {openai: {api_key: {value: a}}}", "providers.openai.api_key.value", "1:32",
     "unknown key"},
    {"providers: {openai: {api_key: {env: sk-live-1}}}", "providers.openai.api_key.env", "1:37",
     "the name of an environment variable"},
    {"providers: {openai: {headquarters: de}}", "providers.openai.headquarters", "1:36",
     "country code"},
    {"providers: {openai: {ca_file: /none}}", "providers.openai.ca_file", "1:31", "no such file"},
    {"providers: {openai: {client_cert: {cert_file: /a}}}", "providers.openai.client_cert", "1:35",
     "cert_file and key_file"},
    {"providers: {openai: {proxy: \"socks://a\"}}", "providers.openai.proxy", "1:29",
     "does not begin with"},
    {"providers: {openai: {proxy: \"http://u:p@a\"}}", "providers.openai.proxy", "1:29",
     "user or password"},
    {"providers: {openai: {headers: {\"a b\": c}}}", "providers.openai.headers.a b", "1:39",
     "not a header name"},
    {"providers: {openai: {headers: {Host: c}}}", "providers.openai.headers.Host", "1:38",
     "the gateway's own"},
    {"providers: {openai: {headers: {Content-Length: 1}}}",
     "providers.openai.headers.Content-Length", "1:48", "the gateway's own"},
    {"providers: {openai: {headers: {Remora-Hop: a}}}", "providers.openai.headers.Remora-Hop",
     "1:44", "the gateway's own"},
    {"providers: {openai: {headers: {Authorization: Bearer a}}}",
     "providers.openai.headers.Authorization", "1:47", "never stands in the document"},
    {"providers: {openai: {headers: {X-A: \"\xc3\xa4\"}}}", "providers.openai.headers.X-A", "1:37",
     "printable ASCII"},
    {"providers: {openai: {headers: {X-A: \"a\\r\\nb\"}}}", "providers.openai.headers.X-A", "1:37",
     "control character"},
    {"providers: {openai: {headers: {X-A: a, x-a: b}}}", "providers.openai.headers.x-a", "1:45",
     "twice"},
    {"providers: {openai: {data_policy: {zdr: maybe}}}", "providers.openai.data_policy.zdr", "1:41",
     "true or false"},
};

static const struct refusal addresses[] = {
    {URL("ftp://a"), "providers.acme.base_url", "1:44", "does not begin with https://"},
    {URL("HTTPS://a"), "providers.acme.base_url", "1:44", "does not begin with https://"},
    {URL("https://"), "providers.acme.base_url", "1:44", "no valid host"},
    {URL("https:///v1"), "providers.acme.base_url", "1:44", "no valid host"},
    {URL("https://u@a/v1"), "providers.acme.base_url", "1:44", "user or password"},
    {URL("https://u:p@a/v1"), "providers.acme.base_url", "1:44", "user or password"},
    {URL("https://a/v1?x=1"), "providers.acme.base_url", "1:44", "query or fragment"},
    {URL("https://a?x"), "providers.acme.base_url", "1:44", "query or fragment"},
    {URL("https://a/v1#x"), "providers.acme.base_url", "1:44", "query or fragment"},
    {URL("https://a:0/v1"), "providers.acme.base_url", "1:44", "port"},
    {URL("https://a:/v1"), "providers.acme.base_url", "1:44", "port"},
    {URL("https://a:65536/v1"), "providers.acme.base_url", "1:44", "port"},
    {URL("https://a:80:80/v1"), "providers.acme.base_url", "1:44", "port"},
    {URL("https://a..b/v1"), "providers.acme.base_url", "1:44", "no valid host"},
    {URL("https://a./v1"), "providers.acme.base_url", "1:44", "no valid host"},
    {URL("https://-a/v1"), "providers.acme.base_url", "1:44", "no valid host"},
    {URL("https://a-/v1"), "providers.acme.base_url", "1:44", "no valid host"},
    {URL("https://a b/v1"), "providers.acme.base_url", "1:44", "no valid host"},
    {URL("https://a%2eb/v1"), "providers.acme.base_url", "1:44", "no valid host"},
    {URL("https://\xc3\xa4.example/v1"), "providers.acme.base_url", "1:44", "no valid host"},
    {URL("https://a\\\\b/v1"), "providers.acme.base_url", "1:44", "does not belong there"},
    {URL("https://${HOST}/v1"), "providers.acme.base_url", "1:44", "no valid host"},
    {URL("https://a/v1/../x"), "providers.acme.base_url", "1:44", "dot segment"},
    {URL("https://a/."), "providers.acme.base_url", "1:44", "dot segment"},
    {URL("https://a/%4"), "providers.acme.base_url", "1:44", "does not belong there"},
    {URL("https://a/ b"), "providers.acme.base_url", "1:44", "does not belong there"},
    {URL("https://0x7f.1/v1"), "providers.acme.base_url", "1:44", "four plain decimal numbers"},
    {URL("https://0x7f000001/v1"), "providers.acme.base_url", "1:44", "four plain decimal"},
    {URL("https://2130706433/v1"), "providers.acme.base_url", "1:44", "four plain decimal"},
    {URL("https://0177.0.0.1/v1"), "providers.acme.base_url", "1:44", "four plain decimal"},
    {URL("https://127.1/v1"), "providers.acme.base_url", "1:44", "four plain decimal"},
    {URL("https://a.256/v1"), "providers.acme.base_url", "1:44", "four plain decimal"},
    {URL("https://169.254.169.254/v1"), "providers.acme.base_url", "1:44", "never called"},
    {URL("https://169.254.170.2/v1"), "providers.acme.base_url", "1:44", "never called"},
    {URL("https://100.100.100.200/v1"), "providers.acme.base_url", "1:44", "never called"},
    {URL("https://0.0.0.0/v1"), "providers.acme.base_url", "1:44", "never called"},
    {URL("https://168.63.129.16/v1"), "providers.acme.base_url", "1:44", "never called"},
    {URL("https://[::ffff:168.63.129.16]/v1"), "providers.acme.base_url", "1:44", "never called"},
    {URL("https://[fd00:ec2::23]/v1"), "providers.acme.base_url", "1:44", "never called"},
    {URL("https://[fd20:ce::1]/v1"), "providers.acme.base_url", "1:44", "never called"},
    {URL("https://[fd00:ec2::254]/v1"), "providers.acme.base_url", "1:44", "never called"},
    {URL("https://[::ffff:169.254.169.254]/v1"), "providers.acme.base_url", "1:44", "never called"},
    {URL("https://[64:ff9b::a9fe:a9fe]/v1"), "providers.acme.base_url", "1:44", "never called"},
    {URL("https://[fe80::1]/v1"), "providers.acme.base_url", "1:44", "never called"},
    {URL("https://[::]/v1"), "providers.acme.base_url", "1:44", "never called"},
    {URL("https://[::127.0.0.1]/v1"), "providers.acme.base_url", "1:44", "never called"},
    {URL("https://metadata.google.internal/v1"), "providers.acme.base_url", "1:44", "never called"},
    {URL("https://[::1/v1"), "providers.acme.base_url", "1:44", "not closed"},
    {URL("https://[::1]x/v1"), "providers.acme.base_url", "1:44", "behind the host"},
    {URL("https://[a]/v1"), "providers.acme.base_url", "1:44", "without an IPv6 address"},
    {URL("http://example.org/v1"), "providers.acme.base_url", "1:44", "in the clear"},
    {URL("http://127.0.0.1.example.org/v1"), "providers.acme.base_url", "1:44", "in the clear"},
    {"providers: {acme: {kind: openai, insecure: true, base_url: \"http://169.254.169.254/v1\"}}",
     "providers.acme.base_url", "1:60", "never called"},
};

static const struct refusal models[] = {
    {MODEL("{endpoints: [{model_id: a}]}"), "models.acme/a.endpoints[0]", "4:24",
     "needs a provider"},
    {MODEL("{endpoints: [{provider: acme}]}"), "models.acme/a.endpoints[0]", "4:24",
     "needs model_id"},
    {MODEL("{endpoints: [{provider: nobody, model_id: a}]}"), "models.acme/a.endpoints[0].provider",
     "4:35", "not among the providers"},
    {MODEL("{endpoints: [{provider: groq, model_id: a}]}"), "models.acme/a.endpoints[0].provider",
     "4:35", "not enabled"},
    {MODEL("{endpoints: {provider: acme}}"), "models.acme/a.endpoints", "4:23", "a list"},
    {MODEL("{modalities: {input: [smell]}}"), "models.acme/a.modalities.input[0]", "4:33",
     "expected text, image"},
    {OWN("") "models: {\"a b\": {}}", "models.a b", "3:17", "a model id is"},
    {OWN("") "models: {\"a/*\": {}}", "models.a/*", "3:17", "a model id is"},
    {ENDPOINT(", tag: other"), "models.acme/a.endpoints[0].tag", "4:59", "a tag is the provider's"},
    {ENDPOINT(", tag: acmes"), "models.acme/a.endpoints[0].tag", "4:59", "a tag is the provider's"},
    {ENDPOINT(", tag: acme/"), "models.acme/a.endpoints[0].tag", "4:59", "a tag is the provider's"},
    {ENDPOINT("}, {provider: acme, model_id: b"), "models.acme/a.endpoints[1]", "4:55",
     "two endpoints \"acme\""},
    {ENDPOINT(", reasoning_efforts: [low, much]"),
     "models.acme/a.endpoints[0].reasoning_efforts[1]", "4:79", "expected none, minimal, low"},
    {ENDPOINT(", quantization: int3"), "models.acme/a.endpoints[0].quantization", "4:68",
     "no such quantization"},
    {ENDPOINT(", supported_parameters: [tempreature]"),
     "models.acme/a.endpoints[0].supported_parameters[0]", "4:77", "did you mean \"temperature\"?"},
    {ENDPOINT(", pricing: {prompt: cheap}"), "models.acme/a.endpoints[0].pricing.prompt", "4:72",
     "a price in USD"},
    {ENDPOINT(", pricing: {promt: 1}"), "models.acme/a.endpoints[0].pricing.promt", "4:64",
     "did you mean \"prompt\"?"},
    {ENDPOINT(", pricing_tiers: [{prompt: 1}]"), "models.acme/a.endpoints[0].pricing_tiers[0]",
     "4:70", "needs min_prompt_tokens"},
    {ENDPOINT(", pricing_tiers: [{min_prompt_tokens: 5}, {min_prompt_tokens: 5}]"),
     "models.acme/a.endpoints[0].pricing_tiers[1]", "4:94", "tiers ascend"},
    {ENDPOINT(", context_length: 0"), "models.acme/a.endpoints[0].context_length", "4:70",
     "whole number"},
};

static bool is_refused(const struct refusal *row, enum remora_code expected)
{
    struct remora_config *config = NULL;
    struct remora_fail fail = REMORA_FAIL_INIT;
    char place[32];
    snprintf(place, sizeof place, "%s: ", row->place);
    enum remora_code rc = test_config_build(row->yaml, NULL, &config, &fail);
    if (rc != expected || strcmp(fail.param, row->path) != 0 ||
        strncmp(fail.message, place, strlen(place)) != 0 ||
        strstr(fail.message, row->part) == NULL) {
        print_error("%s\n  gave %d at \"%s\": %s\n  expected \"%s\": %s...%s\n", row->yaml, (int)rc,
                    fail.param, fail.message, row->path, place, row->part);
        remora_config_release(config);
        return false;
    }
    return config == NULL;
}

#define CASE(name, table, code)                               \
    static void name(void **state)                            \
    {                                                         \
        (void)state;                                          \
        size_t refused = 0;                                   \
        for (size_t i = 0; i < REMORA_COUNT_OF(table); i++) { \
            refused += is_refused(&table[i], code) ? 1 : 0;   \
        }                                                     \
        assert_int_equal(refused, REMORA_COUNT_OF(table));    \
    }

CASE(yaml_beyond_the_format_is_refused_with_its_place, yaml_itself, REMORA_INVALID_REQUEST)
CASE(unknown_keys_are_refused_with_the_closest_one, keys, REMORA_INVALID_REQUEST)
CASE(gateway_keys_that_are_wrong_are_refused, gateway_keys, REMORA_INVALID_REQUEST)
CASE(keys_that_are_not_built_are_named, unbuilt, REMORA_UNIMPLEMENTED)
CASE(wrong_types_and_ranges_are_refused, types, REMORA_INVALID_REQUEST)
CASE(data_listeners_stay_on_loopback, listeners, REMORA_INVALID_REQUEST)
CASE(providers_are_refused_where_they_are_wrong, providers, REMORA_INVALID_REQUEST)
CASE(addresses_that_readers_disagree_about_are_refused, addresses, REMORA_INVALID_REQUEST)
CASE(models_and_endpoints_are_refused_where_they_are_wrong, models, REMORA_INVALID_REQUEST)

static void deep_nesting_is_refused(void **state)
{
    (void)state;
    char yaml[256] = "hosts: ";
    memset(yaml + 7, '[', 100);
    struct remora_config *config = NULL;
    struct remora_fail fail = REMORA_FAIL_INIT;
    assert_int_equal(test_config_build(yaml, NULL, &config, &fail), REMORA_INVALID_REQUEST);
    assert_non_null(strstr(fail.message, "deeper than 32"));
    assert_int_equal(strncmp(fail.param, "hosts[0][0]", 11), 0);
}

static void first_failure_wins_and_nothing_is_built(void **state)
{
    (void)state;
    struct remora_config *config = NULL;
    struct remora_fail fail = REMORA_FAIL_INIT;
    assert_int_equal(test_config_build("workers: a\nmode: b", NULL, &config, &fail),
                     REMORA_INVALID_REQUEST);
    assert_string_equal(fail.param, "workers");
    assert_null(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(yaml_beyond_the_format_is_refused_with_its_place),
        cmocka_unit_test(unknown_keys_are_refused_with_the_closest_one),
        cmocka_unit_test(gateway_keys_that_are_wrong_are_refused),
        cmocka_unit_test(keys_that_are_not_built_are_named),
        cmocka_unit_test(wrong_types_and_ranges_are_refused),
        cmocka_unit_test(data_listeners_stay_on_loopback),
        cmocka_unit_test(providers_are_refused_where_they_are_wrong),
        cmocka_unit_test(addresses_that_readers_disagree_about_are_refused),
        cmocka_unit_test(models_and_endpoints_are_refused_where_they_are_wrong),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(first_failure_wins_and_nothing_is_built),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
