/*
 * remora: the command line. One table of subcommands; `serve` is the default.
 */
#include <stdio.h>
#include <string.h>

#include "app.h"

struct subcommand {
    const char *name;
    int (*run)(int argc, char **argv); /* NULL: documented, not built yet */
    const char *what;
};

static const struct subcommand subcommands[] = {
    {"serve", app_serve, "run the gateway (the default)"},
    {"demo", app_demo, "run it with built-in fake providers: no key, no network"},
    {"check", app_check, "check FILE: is this configuration valid? [--strict]"},
    {"healthcheck", app_healthcheck,
     "is it ready [--probe ADDRESS], or: does it answer --http HOST:PORT --model M [--key-file F]"},
    {"version", app_version, "print versions"},
    {"schema", app_schema,
     "print the JSON Schema of the configuration, or of a policy file: schema policy"},
    {"route", app_route,
     "route explain -f REQUEST.json: who would be tried, and why not the others"},
    {"policy", app_policy,
     "policy test CASES.yaml: does a table of expectations hold? [--config FILE]"},
    {"models", app_models, "list the models that a service may use, and why not the others"},
    {"providers", app_providers, "list the providers, and what the others lack"},
    {"keys", app_keys, "keys new | keys hash: a gateway key, and the hash of one"},
    {"usage", NULL, "usage so far"},
    {"inject", NULL, "admission webhook"},
    {"certgen", NULL, "certificates"},
};

static int print_help(FILE *out)
{
    fputs("usage: remora [SUBCOMMAND] [OPTIONS]\n\n", out);
    for (size_t i = 0; i < REMORA_COUNT_OF(subcommands); i++) {
        if (subcommands[i].run != NULL) {
            fprintf(out, "  %-12s %s\n", subcommands[i].name, subcommands[i].what);
        }
    }
    fputs("\nserve and demo take:\n"
          "  --config FILE      YAML configuration (serve)\n"
          "  --providers ADDR   where the fake providers listen (demo)\n"
          "  --http ADDRESS     OpenAI / OpenRouter API   127.0.0.1:7360\n"
          "  --grpc ADDRESS     remora.v1.ChatService     127.0.0.1:7361\n"
          "  --probe ADDRESS    probes and metrics        127.0.0.1:7362\n"
          "  --admin ADDRESS    introspection             127.0.0.1:7363\n"
          "  --workers N        worker threads\n"
          "An address is HOST:PORT, unix:PATH or off.\n",
          out);
    return out == stdout ? 0 : 2;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "serve";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        return print_help(stdout);
    }
    if (name[0] == '-') {
        return app_serve(argc, argv);
    }
    for (size_t i = 0; i < REMORA_COUNT_OF(subcommands); i++) {
        if (strcmp(name, subcommands[i].name) != 0) {
            continue;
        }
        if (subcommands[i].run == NULL) {
            fprintf(stderr, "remora: '%s' is documented but not built yet\n", name);
            return 2;
        }
        return subcommands[i].run(argc > 1 ? argc - 1 : argc, argc > 1 ? argv + 1 : argv);
    }
    fprintf(stderr, "remora: no subcommand '%s'; see remora --help\n", name);
    return 2;
}
