/*
 * remora: the command line. One table of subcommands; `serve` is the default.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "app.h"

struct subcommand {
    const char *name;
    int (*run)(int argc, char **argv); /* NULL: documented, not built yet */
    const char *arguments;
    const char *what;
};

#define SERVES "[--http A] [--grpc A] [--probe A] [--admin A] [--workers N]"
#define CALLER "[--config FILE] [--service NAME] [--namespace NAME] [--key NAME]"

static const struct subcommand subcommands[] = {
    {"serve", app_serve, "[--config FILE] " SERVES, "run the gateway (the default)"},
    {"demo", app_demo, "[--providers A] " SERVES,
     "run it with built-in fake providers: no key, no network"},
    {"check", app_check, "FILE [--strict]", "is this configuration valid? --strict: warnings, too"},
    {"healthcheck", app_healthcheck,
     "[--probe A] | --http HOST:PORT --model M [--key-file F] [--ca-file F]",
     "is it ready, or: does it answer a completion?"},
    {"version", app_version, "", "print versions"},
    {"schema", app_schema, "[config|policy]",
     "print the JSON Schema of the configuration, or of a policy file"},
    {"route", app_route, "explain -f REQUEST.json " CALLER " [-o json|text]",
     "who would be tried, and why not the others"},
    {"policy", app_policy, "test [--config FILE] CASES.yaml", "does a table of expectations hold?"},
    {"models", app_models, CALLER,
     "list the models that a service may use, and why not the others"},
    {"providers", app_providers, "[--config FILE] [--all]",
     "list the providers, and what the others lack"},
    {"keys", app_keys, "new | hash", "make a gateway key, or the hash of one on standard input"},
    {"usage", NULL, "", "usage so far"},
    {"inject", NULL, "", "admission webhook"},
    {"certgen", NULL, "", "certificates"},
};

static void print_serving(void)
{
    fputs("\n  --config FILE      YAML configuration (serve)\n"
          "  --providers ADDR   where the fake providers listen (demo)\n"
          "  --http ADDRESS     OpenAI / OpenRouter API   localhost:7360\n"
          "  --grpc ADDRESS     remora.v1.ChatService     localhost:7361\n"
          "  --probe ADDRESS    probes and metrics        localhost:7362\n"
          "  --admin ADDRESS    introspection             localhost:7363\n"
          "  --workers N        worker threads\n"
          "An address is HOST:PORT, unix:PATH or off. --name=VALUE is --name VALUE.\n",
          stdout);
}

static int print_help(void)
{
    fputs("usage: remora [SUBCOMMAND] [OPTIONS]\n"
          "       remora SUBCOMMAND --help\n\n",
          stdout);
    for (size_t i = 0; i < REMORA_COUNT_OF(subcommands); i++) {
        if (subcommands[i].run != NULL) {
            printf("  %-12s %s\n", subcommands[i].name, subcommands[i].what);
        }
    }
    fputs("\nserve and demo take:\n", stdout);
    print_serving();
    return 0;
}

static int print_help_of(const struct subcommand *subcommand)
{
    printf("usage: remora %s %s\n%s\n", subcommand->name, subcommand->arguments, subcommand->what);
    if (subcommand->run == app_serve || subcommand->run == app_demo) {
        print_serving();
    }
    return 0;
}

static bool is_help(const char *argument)
{
    return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
}

static int run(const struct subcommand *subcommand, int argc, char **argv)
{
    if (subcommand->run == NULL) {
        fprintf(stderr, "remora: '%s' is documented but not built yet\n", subcommand->name);
        return 2;
    }
    for (int i = 1; i < argc; i++) {
        if (is_help(argv[i])) {
            return print_help_of(subcommand);
        }
        if (strcmp(argv[i], "--version") == 0) {
            return app_version(argc, argv);
        }
    }
    return subcommand->run(argc, argv);
}

/* Who starts us may have closed them, and what is opened first would be taken for them. */
static bool open_standard_streams(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", O_RDWR) != fd) {
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    if (!open_standard_streams()) {
        return 1;
    }
    const char *name = argc > 1 ? argv[1] : "serve";
    if (is_help(name) || strcmp(name, "help") == 0) {
        return print_help();
    }
    if (name[0] == '-') {
        return run(&subcommands[0], argc, argv); /* its options, without its name */
    }
    for (size_t i = 0; i < REMORA_COUNT_OF(subcommands); i++) {
        if (strcmp(name, subcommands[i].name) == 0) {
            return run(&subcommands[i], argc > 1 ? argc - 1 : argc, argc > 1 ? argv + 1 : argv);
        }
    }
    fprintf(stderr, "remora: no subcommand '%s'; see remora --help\n", name);
    return 2;
}
