#!/usr/bin/env python3
"""Derives from the public proto3 files what the C side is built from. Standard library only.

  proto_twin.py twin OUT_DIR NAME=PATH...       a proto2 twin of every file, wire-identical, for protoc-gen-c
  proto_twin.py tables SET OUT_DIR ROOT...      reflection tables and pre-scan schemas from a descriptor set

The twin. protoc-gen-c refuses proto3 `optional`, so C is generated from a twin in which
  - singular message fields get `optional` (presence becomes has_x),
  - repeated numeric, bool and enum fields get [packed=true], which is proto3's default,
  - `string` becomes `bytes` (the same wire type), so that text keeps its length: NUL survives and nothing is copied to be
    terminated. UTF-8 is checked by the pre-scan, whose schema comes from the public files,
  - a map becomes the repeated entry message that it is on the wire.
tests/unit/front_grpc_twin_test.c proves that bytes pass through the twin unchanged.

The tables. `protoc --descriptor_set_out --include_imports` is read by a small decoder of descriptor.proto (protobuf.dev,
"Encoding"; google/protobuf/descriptor.proto for the field numbers).
"""
import os
import re
import sys

NUMERIC = {"double", "float", "int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32", "fixed64",
           "sfixed32", "sfixed64", "bool"}
TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:[^"\\]|\\.)*"|[A-Za-z_][\w.]*|-?\d[\w.]*|[^\s\w]', re.S)


# ---- the twin ----

def tokens_of(text):
    return [t for t in TOKEN.findall(text) if not t.startswith(("//", "/*"))]


def enums_of(tokens):
    return {tokens[i + 1] for i, t in enumerate(tokens[:-1]) if t == "enum" and tokens[i + 2] == "{"}


def camel(name):
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def bytes_for(kind):
    return "bytes" if kind == "string" else kind


def type_at(tokens, at):
    """A type name may begin with a dot, which is a token of its own."""
    name = ""
    while tokens[at] == ".":
        name, at = name + ".", at + 1
    return name + tokens[at], at + 1


def twin_map(statement):
    # map < K , V > name = N
    end = statement.index(">")
    comma = statement.index(",")
    key, _ = type_at(statement, 2)
    value, _ = type_at(statement, comma + 1)
    name = statement[end + 1]
    entry = camel(name) + "Entry"
    return (f"message {entry} {{ optional {bytes_for(key)} key = 1; optional {bytes_for(value)} value = 2; }}\n"
            f"repeated {entry} {' '.join(statement[end + 1:])};")


def twin_field(statement, enums, inside):
    label = statement[0] if statement[0] in ("optional", "repeated") else ""
    kind, at = type_at(statement, 1 if label else 0)
    rest = " ".join(statement[at:])
    if inside == "oneof":
        return f"{bytes_for(kind)} {rest};"
    if label == "repeated" and (kind in NUMERIC or kind.split(".")[-1] in enums):
        assert "[" not in rest, statement
        rest += " [packed=true]"
    return f"{label or 'optional'} {bytes_for(kind)} {rest};"


def twin_statement(statement, enums, inside):
    first = statement[0]
    if first == "syntax":
        return 'syntax = "proto2";'
    if inside not in ("message", "oneof") or first in ("option", "reserved", "extensions"):
        return " ".join(statement) + ";"
    if first == "map":
        return twin_map(statement)
    return twin_field(statement, enums, inside)


def twin(text, enums):
    stack, statement, out = ["file"], [], []
    depth = 0  # of an option's aggregate value, which is copied as it stands
    for token in tokens_of(text):
        if depth or (token == "{" and statement[:1] == ["option"]):
            depth += {"{": 1, "}": -1}.get(token, 0)
            statement.append(token)
        elif token == "{":
            stack.append(statement[0])
            out.append(" ".join(statement) + " {")
            statement = []
        elif token == "}":
            stack.pop()
            out.append("}")
        elif token == ";":
            if statement:
                out.append(twin_statement(statement, enums, stack[-1]))
            statement = []
        else:
            statement.append(token)
    return "\n".join(out) + "\n"


def write_twins(out_dir, pairs):
    texts = {}
    for pair in pairs:
        name, path = pair.split("=", 1)
        with open(path, encoding="utf-8") as file:
            texts[name] = file.read()
    enums = set().union(*(enums_of(tokens_of(text)) for text in texts.values()))
    for name, text in texts.items():
        path = os.path.join(out_dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(twin(text, enums))


# ---- a decoder of descriptor sets ----

def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def fields(data):
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        if tag & 7 == 0:
            value, at = varint(data, at)
        elif tag & 7 == 2:
            length, at = varint(data, at)
            value, at = data[at:at + length], at + length
        else:
            size = {1: 8, 5: 4}[tag & 7]
            value, at = data[at:at + size], at + size
        yield tag >> 3, value


def all_of(data, number):
    return [value for n, value in fields(data) if n == number]


def text_of(data, number):
    values = all_of(data, number)
    return values[-1].decode() if values else ""


def int_of(data, number):
    values = all_of(data, number)
    return values[-1] if values else 0


class File:
    """FileDescriptorProto: name 1, package 2, dependency 3, message_type 4, enum_type 5, service 6."""

    def __init__(self, data):
        self.data = data
        self.name = text_of(data, 1)
        self.package = text_of(data, 2)
        self.imports = [d.decode() for d in all_of(data, 3)]
        self.symbols, self.messages, self.services = [], {}, []
        for message in all_of(data, 4):
            self.add_message(self.package, message)
        for enum in all_of(data, 5):
            self.add_enum(self.package, enum)
        for service in all_of(data, 6):
            name = f"{self.package}.{text_of(service, 1)}"
            self.services.append(name)
            self.symbols.append(name)
            self.symbols += [f"{name}.{text_of(method, 1)}" for method in all_of(service, 2)]

    def add_message(self, scope, message):
        """DescriptorProto: name 1, field 2, nested_type 3, enum_type 4, oneof_decl 8."""
        name = f"{scope}.{text_of(message, 1)}"
        self.symbols.append(name)
        self.symbols += [f"{name}.{text_of(member, 1)}" for number in (2, 8) for member in all_of(message, number)]
        self.messages[name] = message
        for nested in all_of(message, 3):
            self.add_message(name, nested)
        for enum in all_of(message, 4):
            self.add_enum(name, enum)

    def add_enum(self, scope, enum):
        """EnumDescriptorProto: name 1, value 2. Values are siblings of their enum (descriptor.proto, EnumValueDescriptorProto)."""
        name = f"{scope}.{text_of(enum, 1)}"
        self.symbols += [name, *(f"{scope}.{text_of(value, 1)}" for value in all_of(enum, 2))]


# FieldDescriptorProto.Type -> enum remora_proto_kind
KINDS = {1: "FIXED64", 2: "FIXED32", 3: "VARINT", 4: "VARINT", 5: "VARINT", 6: "FIXED64", 7: "FIXED32", 8: "VARINT",
         9: "STRING", 11: "MESSAGE", 12: "BYTES", 13: "VARINT", 14: "VARINT", 15: "FIXED32", 16: "FIXED64",
         17: "VARINT", 18: "VARINT"}


def c_type(full):
    return "__".join(camel(part) for part in full.split("."))


def c_schema(full):
    return "remora_schema_" + full.replace(".", "_")


def reachable(messages, roots):
    seen, todo = [], list(roots)
    while todo:
        name = todo.pop(0)
        if name not in seen:
            seen.append(name)
            todo += [text_of(f, 6)[1:] for f in all_of(messages[name], 2) if int_of(f, 5) == 11]
    return seen


def schema_of(name, message):
    """FieldDescriptorProto: name 1, number 3, label 4 (3 repeated), type 5, type_name 6."""
    rows = []
    for field in sorted(all_of(message, 2), key=lambda f: int_of(f, 3)):
        kind = KINDS[int_of(field, 5)]
        inner = "&" + c_schema(text_of(field, 6)[1:]) if kind == "MESSAGE" else "NULL"
        repeated = "true" if int_of(field, 4) == 3 else "false"
        rows.append(f'    {{{int_of(field, 3)}, REMORA_PROTO_{kind}, {repeated}, "{text_of(field, 1)}", {inner}}},')
    array = c_schema(name) + "_fields"
    if rows:
        yield f"static const struct remora_proto_field {array}[] = {{"
        yield from rows
        yield "};"
    yield (f'const struct remora_proto_message {c_schema(name)} = '
           f'{{"{name}", {array if rows else "NULL"}, {len(rows)}, sizeof({c_type(name)})}};')


def write_schemas(out_dir, files, roots):
    messages = {name: m for f in files for name, m in f.messages.items()}
    names = reachable(messages, roots)
    used = [f.name for f in files if any(n in f.messages for n in names)]
    with open(os.path.join(out_dir, "schemas.h"), "w", encoding="utf-8") as out:
        out.write('#include "remora/protoscan.h"\n')
        out.writelines(f"extern const struct remora_proto_message {c_schema(n)};\n" for n in names)
    with open(os.path.join(out_dir, "schemas.c"), "w", encoding="utf-8") as out:
        out.write('#include "schemas.h"\n')
        out.writelines(f'#include "{name[:-len(".proto")]}.pb-c.h"\n' for name in used)
        for name in names:
            out.write("\n".join(schema_of(name, messages[name])) + "\n")


def closure_of(files, index):
    """The file and all that it needs, itself first."""
    order, todo = [], [index]
    by_name = {f.name: i for i, f in enumerate(files)}
    while todo:
        at = todo.pop(0)
        if at not in order:
            order.append(at)
            todo += [by_name[name] for name in files[at].imports]
    return order


def c_bytes(data):
    for at in range(0, len(data), 24):
        yield "    " + ",".join(str(b) for b in data[at:at + 24]) + ","


def write_descriptors(out_dir, files):
    with open(os.path.join(out_dir, "descriptors.c"), "w", encoding="utf-8") as out:
        out.write('#include "descriptors.h"\n')
        for i, file in enumerate(files):
            closure = closure_of(files, i)
            out.write(f"static const unsigned char bytes_{i}[] = {{\n" + "\n".join(c_bytes(file.data)) + "\n};\n")
            out.write(f"static const uint16_t needs_{i}[] = {{{', '.join(map(str, closure))}}};\n")
        out.write("static const struct remora_grpc_file FILES[] = {\n")
        for i, file in enumerate(files):
            out.write(f'    {{"{file.name}", bytes_{i}, {len(file.data)}, needs_{i}, {len(closure_of(files, i))}}},\n')
        out.write("};\nstatic const struct remora_grpc_symbol SYMBOLS[] = {\n")
        pairs = sorted({(name, i) for i, f in enumerate(files) for name in f.symbols})
        out.writelines(f'    {{"{name}", {i}}},\n' for name, i in pairs)
        services = sorted(name for f in files for name in f.services)
        out.write("};\nstatic const char *const SERVICES[] = {\n")
        out.writelines(f'    "{name}",\n' for name in services)
        out.write("};\nconst struct remora_grpc_descriptors remora_grpc_descriptors = {\n"
                  f"    FILES, {len(files)}, SYMBOLS, {len(pairs)}, SERVICES, {len(services)}}};\n")


def write_tables(set_path, out_dir, roots):
    with open(set_path, "rb") as file:
        files = [File(data) for data in all_of(file.read(), 1)]
    os.makedirs(out_dir, exist_ok=True)
    write_schemas(out_dir, files, roots)
    write_descriptors(out_dir, files)


def main(arguments):
    if len(arguments) >= 3 and arguments[0] == "twin":
        write_twins(arguments[1], arguments[2:])
    elif len(arguments) >= 4 and arguments[0] == "tables":
        write_tables(arguments[1], arguments[2], arguments[3:])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
