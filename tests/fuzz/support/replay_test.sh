#!/usr/bin/env bash
# replay_test.sh PROGRAM: a replay passes for a corpus that was read whole and for nothing else. PROGRAM is any replay.
set -u
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

expect() { # expect STATUS WHAT
    "$program" "$folder/corpus" >"$folder/log" 2>&1
    local got=$?
    [ "$got" = "$1" ] || { echo "$2: exit status $got, not $1"; cat "$folder/log"; exit 1; }
}

program=$1
expect 1 "no folder"
mkdir "$folder/corpus"
expect 1 "an empty folder"
echo x >"$folder/corpus/a"
expect 0 "one file"
ln -s absent "$folder/corpus/b"
expect 1 "a file that cannot be opened"
rm "$folder/corpus/b"
mkdir "$folder/corpus/c"
expect 1 "a folder among the files"
rmdir "$folder/corpus/c"
ln -s /proc/self/mem "$folder/corpus/d"
expect 1 "a file whose bytes cannot be read"
