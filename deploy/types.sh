#!/bin/sh
# mypy over all our code. The folders named `tests` hold files of equal names (conftest.py), so each
# of them is a run of its own; the packages are checked once and come from the cache after that.
set -eu
cd "$(dirname "$0")/.."

for target in bench deploy/embedded.py; do
    [ -e "$target" ] && set -- "$@" "$target"
done
failed=0
.venv/bin/mypy shared/deskwire services/*/[a-z]*_svc services/gateway/gateway "$@" || failed=1

for tests in tests shared/tests services/*/tests; do
    [ -n "$(find "$tests" -name '*.py' 2>/dev/null)" ] || continue
    echo "$tests:"
    MYPYPATH=$tests .venv/bin/mypy "$tests" || failed=1
done
exit $failed
