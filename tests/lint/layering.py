#!/usr/bin/env python3
"""Refuses an include that runs upwards (ARCHITECTURE section 2), a library's header outside the rooms that may know it, and sockets,
threads, clock, environment and files in the rooms that are pure (principle 4): a header that brings them, or a call of one that the
headers of every C program bring.

usage: layering.py [ROOT]      exit status 1 and one line per violation
       layering.py --self-test  proves that each rule can fail
"""
import os
import re
import sys
import tempfile

import runner

# The rooms from the ground up; a room may include the contracts of itself and of rooms below it.
ORDER = ["base", "json", "wire", "model", "catalog", "account", "loop", "config", "policy", "route", "transport", "provider",
         "engine", "telemetry", "skin", "front", "app"]
# include/remora/X.h belongs to the room that implements it.
OWNER = {
    "base": "base", "address": "base", "memory": "base", "buf": "base", "list": "base", "limits": "base", "codes": "base", "secret": "base", "cgroup": "base", "descriptors": "base",
    "clock": "base", "text": "base", "guess": "base", "json": "json", "json_fold": "json", "sse": "wire", "decimal": "wire", "protoscan": "wire",
    "identity": "model", "preferences": "model", "request": "model", "media": "model", "usage": "model", "event": "model",
    "attempt": "model", "hop": "model", "betas": "model",
    "answer": "model", "account": "account", "catalog": "catalog", "config": "config", "caller": "config", "policy": "policy", "route": "route",
    "health": "base", "tls": "loop", "transport": "transport", "provider": "provider", "exchange": "engine", "loop": "loop", "skin": "skin", "listing": "skin",
    "telemetry": "telemetry", "worker": "front", "front": "front",
}
# Contracts without code of their own that a lower room may name: plain data or a seam implemented above it.
SEAMS = {
    # The transport's seam is named by adapters and by the model's header look-up; libcurl stays in src/transport.
    ("provider", "transport"), ("model", "transport"), ("model", "catalog"), ("model", "route"), ("account", "catalog"),
    ("loop", "config"), ("catalog", "config"), ("config", "policy"), ("config", "health"), ("telemetry", "worker"),
    ("catalog", "provider"), ("model", "policy"), ("model", "config"),
}
# A library's headers and the rooms that may include them, whatever folders of the system stand before them.
LIBRARIES = [
    (re.compile(r"(?:^|/)curl/(?!curlver\.h)"), {"transport"}),
    (re.compile(r"(?:^|/)(grpc/|[^/]*\.pb-c\.h$|protobuf-c)"), {"front/grpc"}),
    (re.compile(r"(?:^|/)uv(\.h$|/)"), {"loop", "transport", "front/http", "front/grpc", "app"}),
    (re.compile(r"(?:^|/)llhttp"), {"front/http"}),
    (re.compile(r"(?:^|/)zlib\.h$"), {"front/grpc"}),
    (re.compile(r"(?:^|/)yaml\.h$"), {"config"}),
    (re.compile(r"(?:^|/)openssl/"), {"transport", "config", "loop"}),
]
# What the pure rooms may have of the system: what computes. Not errno.h: who looks at it has asked the system for something.
PURE = {"base", "json", "wire", "model", "catalog", "account", "policy", "route", "provider", "skin"}
COMPUTES = {f"{name}.h" for name in ("assert", "emmintrin", "float", "inttypes", "iso646", "limits", "math", "stdalign",
                                     "stdarg", "stdbool", "stddef", "stdint", "stdio", "stdlib", "stdnoreturn", "string")}
# And what stdio.h, stdlib.h and string.h bring that does more than that.
IMPURE = re.compile(r"(?<![\w.>])(?:(?:time|clock|rand|srand|random|srandom|system|exit|_exit|"
                    r"quick_exit|atexit|fopen|freopen|fdopen|popen|tmpfile|remove|rename|v?f?printf|v?dprintf|puts|fputs|putchar|putc|"
                    r"fputc|fwrite|fread|fgets|getchar|getc|fgetc|scanf|fscanf|perror|syscall|socket|pthread_\w+|clock_gettime|"
                    r"gettimeofday|nanosleep|sleep)\s*\(|(?:stdin|stdout|stderr|environ|errno|(?:secure_)?getenv|setenv|unsetenv|putenv)\b)")
# base implements the system's part of its contracts in these files, behind arguments that tests replace: headers, and words.
SYSTEM = {
    "src/base/arena.c": ({"sanitizer/asan_interface.h"}, set()),
    "src/base/cgroup.c": ({"fcntl.h", "unistd.h"}, set()),
    "src/base/descriptors.c": ({"sys/resource.h"}, set()),
    "src/base/clock.c": ({"time.h"}, {"clock_gettime"}),
    "src/base/memory.c": ({"stdatomic.h", "sys/mman.h"}, set()),
    "src/base/random.c": ({"sys/random.h", "time.h"}, {"clock_gettime"}),
    "src/base/secret.c": ({"errno.h", "fcntl.h", "sys/mman.h", "sys/stat.h", "unistd.h"}, {"environ", "errno"}),
}
# Contracts of pure rooms may have atomics: structs that workers share are made of them.
SHARED = COMPUTES | {"stdatomic.h"}
# The digraph %: is a '#'. What is no plain "X.h" or <X.h> (a macro) is refused: nobody could judge it.
DIRECTIVE = re.compile(r"^\s*(?:#|%:|\?\?=)\s*(?:include|include_next|import)\b\s*(.*)$")
TARGET = re.compile(r'[<"]([^>"]+)[>"]')
JOIN = "\0"  # where two lines became one
TOKEN = re.compile(r"""/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.S)


def room_of(path):
    parts = path.split("/")
    return "/".join(parts[:2]) if parts[0] == "front" else parts[0]


def violations(root):
    for top in ("src", "include/remora"):
        for folder, _, names in os.walk(os.path.join(root, top)):
            for name in names:
                if name.endswith((".c", ".h")):
                    yield from violations_of(root, os.path.join(folder, name))


def violations_of(root, full):
    path = os.path.relpath(full, root)
    text = open(full, encoding="utf-8").read()
    for number, target in includes(text):
        why = judge(root, full, room_of(path[len("src/"):]), target) if path.startswith("src/") else judge_contract(root, full, target)
        if why := why or judge_system(full, path, target):
            yield f"{path}:{number}: {why}"
    if pure_room(path):
        for number, word in impure_words(text):
            if word not in SYSTEM.get(path, (set(), set()))[1]:
                yield f"{path}:{number}: {word} in a room that is pure: what it tells is an argument"


def pure_room(path):
    """The room of a source or contract, if it is one that is pure."""
    if path.startswith("src/"):
        room = room_of(path[len("src/"):])
    else:
        room = OWNER.get(os.path.basename(path)[:-len(".h")], "base")
    return room if room in PURE else None


def judge_system(full, path, target):
    """What is neither ours nor a library's is the system's, in whichever brackets."""
    room = pure_room(path)
    is_ours = target is None or target.startswith("remora/") or target.endswith(".inc") or os.path.exists(os.path.join(os.path.dirname(full), target))
    if room is None or is_ours or any(pattern.search(target) for pattern, _ in LIBRARIES):
        return None
    allowed = COMPUTES | SYSTEM.get(path, (set(), set()))[0] if path.startswith("src/") else SHARED
    return None if target in allowed else f"{target} in {room}, which is pure: no sockets, threads, clock, environment or files"


def impure_words(text):
    """(line, word) of every call or name that does more than compute, as the compiler sees the text: no comments, no strings."""
    blank = lambda token: re.sub(r"[^\n\0]", " ", token.group())
    number = 1
    for line in TOKEN.sub(blank, joined(text)).split("\n"):
        for found in IMPURE.finditer(line.replace(JOIN, "")):
            yield number, found.group().rstrip("( ")
        number += 1 + line.count(JOIN)


def judge_contract(root, full, target):
    """A contract stands where its room does; what it includes everybody above gets, so libraries have no place in it."""
    header = os.path.relpath(full, os.path.join(root, "include/remora"))[:-len(".h")]
    if target and any(pattern.search(target) for pattern, _ in LIBRARIES):
        return f"{target} in a contract: every room would get it"
    return None if header.startswith("tbl/") else judge(root, full, OWNER.get(header, "base"), target)


def joined(text):
    return re.sub(r"\\[ \t]*\n", JOIN, text)  # gcc takes blanks after the backslash


def includes(text):
    """(line, target) of every include, as the compiler sees the text: lines joined at a backslash, comments are blanks. The target
    is None where it is not written out."""
    number = 1
    for line in TOKEN.sub(without_comment, joined(text)).split("\n"):
        directive = DIRECTIVE.match(line.replace(JOIN, ""))
        if directive:
            target = TARGET.match(directive.group(1))
            yield number, target and target.group(1)
        number += 1 + line.count(JOIN)


def without_comment(token):
    text = token.group()
    return text if text[0] in "\"'" else " " + JOIN * (text.count("\n") + text.count(JOIN))


def judge(root, full, room, target):
    if target is None:
        return "an include whose header is not written out"
    if ".." in target.split("/"):
        return f"{target} leaves the room by a path: only contracts (remora/X.h) are shared"
    for pattern, rooms in LIBRARIES:
        if pattern.search(target) and room not in rooms:
            return f"{target} belongs to {', '.join(sorted(rooms))}, not to {room}"
    if target.startswith("remora/tbl/") or target.endswith(".pb-c.h"):
        return None
    if target.startswith("remora/"):
        header = target[len("remora/"):-len(".h")]
        owner = OWNER.get(header)
        if owner is None:
            return f"{target}: no room is named as its owner in tests/lint/layering.py"
        base = room.split("/")[0]
        if ORDER.index(owner) > ORDER.index(base) and (base, header) not in SEAMS:
            return f"{target} is {owner}'s, which stands above {base}"
        return None
    beside = os.path.join(os.path.dirname(full), target)
    if "/" in target and is_stranger(root, full, target):
        return f"{target} leaves the room by a path: only contracts (remora/X.h) are shared"
    if "/" in target or not target.endswith(".h"):
        return None
    for other in ORDER:
        for candidate in (other, "front/http", "front/grpc"):
            stranger = os.path.join(root, "src", candidate, target)
            if candidate != room and os.path.exists(stranger) and not os.path.exists(beside):
                return f"{target} is private to {candidate}"
    return None


def is_stranger(root, full, target):
    """A path to a file of the repository, seen from this file or from a folder that the compiler is told of."""
    return os.path.isabs(target) or target.startswith("./") or any(os.path.exists(os.path.join(root, place, target)) for place in ("src", "include", "", os.path.dirname(full)))


def self_test():
    cases = [("json/a.c", '#include "remora/engine.h"'), ("json/a.c", '#include "remora/config.h"'),
             ("skin/a.c", "#include <curl/curl.h>"), ("engine/a.c", "#include <grpc/grpc.h>"),
             ("policy/a.c", "#include <uv.h>"), ("skin/a.c", '#include "chat.pb-c.h"'),
             ("policy/a.c", '#include "../engine/exchange_private.h"'), ("policy/a.c", "#include <uv/unix.h>"),
             ("policy/a.c", "%:include <curl/curl.h>"), ("policy/a.c", "#include \\\n<curl/curl.h>"),
             ("policy/a.c", "#inc\\\nlude <curl/curl.h>"), ("policy/a.c", "#include \\ \n<curl/curl.h>"),
             ("policy/a.c", "#include/* */<curl/curl.h>"), ("policy/a.c", "/* */ #include <curl/curl.h>"),
             ("policy/a.c", "/*\n*/ #include <curl/curl.h>"), ("policy/a.c", "#include /*\n*/ <curl/curl.h>"),
             ("policy/a.c", "char *a = \"/*\";\n#include <curl/curl.h>\nchar *b = \"*/\";"),
             ("policy/a.c", "#define X <curl/curl.h>\n#include X"), ("policy/a.c", "#include<curl/curl.h>"),
             ("policy/a.c", '#include "policy/../../engine/exchange_private.h"'), ("policy/a.c", '#include "policy/a.c"'),
             ("policy/a.c", '#include "remora/tbl/../../../src/engine/exchange_private.h"'),
             ("policy/a.c", "#include <x86_64-linux-gnu/curl/curl.h>"), ("policy/a.c", "#include <aarch64-linux-musl/openssl/ssl.h>"),
             ("skin/a.c", '#include "/usr/include/uv.h"'),
             ("json/a.c", "#include <sys/socket.h>"), ("wire/a.c", "#include <pthread.h>"), ("model/a.c", "#include <time.h>"),
             ("policy/a.c", "#include <x86_64-linux-gnu/sys/socket.h>"), ("route/a.c", '#include "unistd.h"'),
             ("policy/a.c", "#include <sys/stat.h>"), ("provider/a.c", "#include <threads.h>"), ("account/a.c", "#include <errno.h>"),
             ("base/a.c", "#include <time.h>"), ("base/clock.c", "#include <pthread.h>"), ("base/random.c", "int a(void) { return errno; }"),
             ("catalog/a.c", "long a(void)\n{\n    return time(NULL);\n}"), ("skin/a.c", 'const char *a = getenv ("HOME");'),
             ("policy/a.c", "extern char **environ;"), ("policy/a.c", "a = secure_getenv;"), ("policy/a.c", "a = tim\\\ne(b);"),
             ("json/a.c", "void a(void) { fprintf(b, c); }"), ("json/a.c", "void *a = stderr;"), ("wire/a.c", "int a = rand();"),
             ("wire/a.c", "void a(void) { pthread_mutex_lock(b); }"), ("model/a.c", "long time(long *a);")]
    cases = [("src/" + path, text) for path, text in cases] + [
        ("include/remora/base.h", "#include <curl/curl.h>"), ("include/remora/worker.h", "#include <grpc/grpc.h>"),
        ("include/remora/base.h", '#include "remora/exchange.h"'), ("include/remora/json.h", '#include "remora/config.h"'),
        ("include/remora/json.h", "#include <pthread.h>"), ("include/remora/request.h", "#include <time.h>")]
    good = [("src/" + path, text) for path, text in (
        ("front/http/a.c", '#include "remora/exchange.h"'), ("transport/a.c", "#include <curl/curl.h>"),
            ("config/a.c", "#include <sys/stat.h>"), ("policy/a.c", "static int include;"),
            ("engine/a.c", "#include <pthread.h>"), ("telemetry/a.c", "long a(void) { return time(NULL); }"),
            ("base/clock.c", "#include <time.h>\nvoid a(void) { clock_gettime(b, c); }"), ("json/a.c", "#include <math.h>\n#include <stdlib.h>"),
            ("policy/a.c", '/* getenv() */ const char *a = "time(NULL)";'), ("policy/a.c", "a = b->time(c) + d.getenv(e) + lifetime(f);"),
            ("policy/a.c", "int stderr_count, time, a = snprintf(b, c, d);"), ("policy/a.c", '#include "remora/base.h"'),
            ("policy/a.c", "/*\n#include <curl/curl.h>\n*/"),
            ("policy/a.c", "#define X \\\n    1\n#include <stdio.h>"))] + [
        ("include/remora/exchange.h", '#include "remora/base.h"'), ("include/remora/transport.h", "#include <stddef.h>"),
        ("include/remora/health.h", "#include <stdatomic.h>")]
    for path, text in cases + good:
        with tempfile.TemporaryDirectory() as root:
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full))
            open(full, "w").write(text + "\n")
            found = list(violations(root))
            if bool(found) != ((path, text) in cases):
                sys.exit(f"layering self-test: {path} {text}: {found}")
    print(f"layering self-test: {len(cases)} refused, {len(good)} accepted")


runner.main(violations, self_test, "layering: no include runs upwards, and what is pure computes")
