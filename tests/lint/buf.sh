#!/usr/bin/env bash
# The published contract (proto/remora/v1): `buf lint` with the STANDARD rules, and `buf breaking` (FILE) against every contract
# that there was: what breaks users stays a break, however many commits come after it.
#
# usage: buf.sh              lint, then breaking
#        buf.sh --self-test  proves that both can fail
#
# buf comes from npm in one exact version; the package holds the program, which needs no network. Without Node it is skipped
# with a word, but fails under CI=true.
#
# The contracts before: those of all commits that changed files under proto/, but for HEAD's own when nothing differs from it; and
# for the first, which had no files of others beside it and was nobody's yet. They are unpacked beside and compared as folders, with
# the rules of today: a checkout whose .git is a file, or an older commit without buf.yaml, would not do as `--against .git`. A clone
# without those commits (--depth 1) has nothing to compare with: that half is skipped with a word, under CI=true as well, because the contract did nothing wrong and no clone
# can be made deeper without its origin. CI that is to hold it to its promise clones with history.
set -eu
cd "$(dirname "$0")/../.."
VERSION=1.75.0
tools=build-tools/buf-$VERSION

skip() {
    if [ "${CI:-}" = true ]; then
        echo "0 passed, 1 failed: $1" >&2
        exit 1
    fi
    echo "0 passed, 0 failed, 1 skipped: $1"
    exit 0
}

command -v node >/dev/null && command -v npm >/dev/null || skip "node and npm are not installed"
if [ ! -x "$tools/node_modules/.bin/buf" ]; then
    mkdir -p "$tools"
    echo '{"private": true}' >"$tools/package.json"
    npm install --prefix "$tools" --no-package-lock --ignore-scripts --no-audit --no-fund --silent --save-exact \
        "@bufbuild/buf@$VERSION" || skip "npm install @bufbuild/buf failed"
fi
buf=$tools/node_modules/.bin/buf
before=$(mktemp -d)
trap 'rm -rf "$before"' EXIT

unpack() { # unpack COMMIT
    rm -rf "$before/proto"
    git archive "$1" proto | tar -x -C "$before"
    cp proto/buf.yaml "$before/proto/"
}

breaks() { "$buf" breaking "$1" --against "$before/proto"; }

last_counts_one_skipped() { [[ $(tail -n 1) =~ ^1\ passed,\ 0\ failed,\ 1\ skipped ]]; }

if [ "${1:-}" = --self-test ]; then
    cp -r proto "$before/proto"
    changed=$before/changed
    cp -r proto "$changed"
    breaks "$changed"
    sed -i 's/int32 page_size = 1;/int64 page_size = 1;/' "$changed/remora/v1/gateway.proto"
    if breaks "$changed" >/dev/null; then echo "a changed type was not noticed" >&2; exit 1; fi
    sed -i 's/message ListModelsRequest/message listModels/; s/(ListModelsRequest)/(listModels)/' \
        "$changed/remora/v1/gateway.proto"
    if "$buf" lint "$changed" >/dev/null; then echo "a wrong name was not noticed" >&2; exit 1; fi
    if ! git rev-parse --verify --quiet HEAD >/dev/null; then
        echo "1 passed, 0 failed"
        exit 0
    fi
    git clone --quiet --depth 1 "file://$PWD" "$before/shallow"
    cp tests/lint/buf.sh "$before/shallow/tests/lint/"
    ln -s "$PWD/build-tools" "$before/shallow/"
    if ! "$before/shallow/tests/lint/buf.sh" | last_counts_one_skipped; then
        echo "a clone without history compared the contract with itself" >&2
        exit 1
    fi
    if [ "$(git rev-parse --is-shallow-repository)" = true ]; then
        echo "1 passed, 0 failed"
        exit 0
    fi
    git clone --quiet "file://$PWD" "$before/whole"
    cp tests/lint/buf.sh "$before/whole/tests/lint/"
    ln -s "$PWD/build-tools" "$before/whole/"
    whole() { git -C "$before/whole" -c user.name=test -c user.email=test@localhost "$@"; }
    sed -i 's/int32 page_size = 1;/int32 page_length = 1;/' "$before/whole/proto/remora/v1/gateway.proto"
    whole commit --quiet --all --message "a break"
    sed -i '1s|^|// A comment.\n|' "$before/whole/proto/remora/v1/gateway.proto"
    whole commit --quiet --all --message "a comment"
    if "$before/whole/tests/lint/buf.sh" >/dev/null; then
        echo "a break was not noticed behind a further commit" >&2
        exit 1
    fi
    echo "1 passed, 0 failed"
    exit 0
fi

# The commits whose contracts are the ones before, the newest first; none when this clone has none.
commits_before() {
    if ! git rev-parse --verify --quiet HEAD >/dev/null; then return; fi
    local own=2
    if ! git diff --quiet HEAD -- proto || [ -n "$(git ls-files --others --exclude-standard proto)" ]; then own=1; fi
    git log --format=%H -- proto | tail -n "+$own"
}

has_others() { git cat-file -e "$1:proto/third_party" 2>/dev/null; }

"$buf" lint proto
compared=0
for commit in $(commits_before); do
    if has_others "$commit"; then
        unpack "$commit"
        breaks proto || { echo "it breaks the contract of $(git log -n 1 --format='%h (%s)' "$commit")" >&2; exit 1; }
        compared=$((compared + 1))
    fi
done
if [ "$compared" = 0 ]; then
    echo "1 passed, 0 failed, 1 skipped: buf breaking has no earlier commit to compare with (a shallow clone?)"
    exit 0
fi
echo "2 passed, 0 failed"
