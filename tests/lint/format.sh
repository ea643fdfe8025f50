#!/bin/sh
# Our own C is laid out as .clang-format says (clang-format 14, the one of Debian 12; another version lays out otherwise).
set -eu
cd "$(dirname "$0")/../.."
case $(clang-format --version) in
*"version 14."*) ;;
*) echo "format: clang-format 14 is needed; skipped"; exit 0 ;;
esac
# X-macro tables are rows, one a line.
git ls-files 'src/*.c' 'src/*.h' 'include/remora/*.h' 'examples/*.c' 'tests/unit/*.c' 'tests/unit/*.h' 'tests/fuzz/*.c' |
    grep -v '/tbl/' | xargs clang-format --dry-run --Werror
