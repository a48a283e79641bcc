#!/bin/sh
# All linters; every one runs, and the status is 1 if any complained.
set -u
cd "$(dirname "$0")/.."
python=.venv/bin/python
status=0
check() { name=$1; shift; if output=$("$@" 2>&1); then printf '%-16s ok\n' "$name"; else printf '%-16s FAILED\n%s\n' "$name" "$output"; status=1; fi; }

yang_modules=$($python -c 'import sys; print(sys.prefix + "/share/yang/modules")')
check ruff          $python -m ruff check .
check 'ruff format' $python -m ruff format --check .
check mypy          $python -m mypy
check rustfmt       cargo fmt --manifest-path nf/datapath/rust/Cargo.toml --all --check
check clippy        cargo clippy --quiet --locked --manifest-path nf/datapath/rust/Cargo.toml --workspace --all-targets -- -D warnings
check pyang         .venv/bin/pyang --lint --lint-modulename-prefix openwsg -p "yang:$yang_modules/ietf" yang/*.yang
# libyang 2.1 finds the identities only of modules that are implemented already: the types come first.
check yanglint      yanglint -p yang -p "$yang_modules/ietf" yang/openwsg-types.yang yang/openwsg-*.yang
exit $status
