#!/bin/sh
# Install what OpenWSG needs on Debian 12, each thing only where it is missing: Debian packages, a Rust tool chain, the virtual
# environment .venv with the locked Python packages, and the Rust extension. Safe to run again; `make` does so.
#
#   packaging/bootstrap.sh [--peers]     --peers: also what the demo, the tests and the linters use (strongSwan, iperf3, promtool, clippy, ...)
set -eu

cd "$(dirname "$0")/.."
rust_at_least=85          # the extension needs Rust 1.85 (edition 2024)

say() { printf 'bootstrap: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

build_packages="build-essential pkg-config python3-venv python3-dev libyang2-dev iproute2 ca-certificates"
peer_packages="strongswan-charon strongswan-swanctl charon-systemd libcharon-extra-plugins libstrongswan-standard-plugins
    libstrongswan-extra-plugins libyang2-tools iperf3 iputils-ping ethtool prometheus tshark tcpdump openssl nftables procps"

packages=$build_packages
[ "${1:-}" = --peers ] && packages="$build_packages $peer_packages"

missing=
for package in $packages; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
done

rust_minor() { "$1" --version 2>/dev/null | sed -n 's/^[a-z]* 1\.\([0-9]*\)\..*/\1/p'; }
minor=$(rust_minor rustc || true)
cargo_minor=$(rust_minor cargo || true)
if [ "${minor:-0}" -lt "$rust_at_least" ] || [ "${cargo_minor:-0}" -lt "$rust_at_least" ]; then
    missing="$missing rustc-web cargo-web"
fi
if [ "${1:-}" = --peers ]; then    # the linters; a tool chain of rustup brings its own
    cargo fmt --version >/dev/null 2>&1 || missing="$missing rustfmt-web"
    cargo clippy --version >/dev/null 2>&1 || missing="$missing rust-web-clippy"
fi

if [ -n "$missing" ]; then
    [ "$(id -u)" = 0 ] || die "these Debian packages are missing; install them as root:$missing"
    say "installing Debian packages:$missing"
    export DEBIAN_FRONTEND=noninteractive
    log=$(mktemp)
    # Services that Debian would start (Prometheus, charon) are not wanted: only their programs are.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e $policy ]; then printf '#!/bin/sh\nexit 101\n' > $policy; chmod +x $policy; trap 'rm -f $policy' EXIT; fi
    # shellcheck disable=SC2086
    if ! { apt-get update && apt-get install -y --no-install-recommends $missing; } > "$log" 2>&1; then
        tail -n 20 "$log" >&2
        die "apt-get failed; the whole output is in $log"
    fi
    rm -f "$log"
fi

python=$(command -v python3) || die "python3 is missing"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || die "Python 3.11 or newer is needed; $python is $("$python" --version)"

if [ ! -x .venv/bin/python ]; then
    say "making the virtual environment .venv"
    "$python" -m venv .venv
fi
lock=packaging/requirements.lock
if ! cmp -s "$lock" .venv/requirements.lock; then
    say "installing the Python packages of $lock"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock" || die "pip failed"
    cp "$lock" .venv/requirements.lock
fi

newest=$(find nf/datapath/rust pyproject.toml -name target -prune -o -type f -newer .venv/native.stamp -print 2>/dev/null | head -n 1)
if [ ! -e .venv/native.stamp ] || [ -n "$newest" ]; then
    say "building the Rust extension (the first time takes a minute or two)"
    log=$(mktemp)
    if ! env -u CONDA_PREFIX VIRTUAL_ENV="$PWD/.venv" PATH="$PWD/.venv/bin:$PATH" .venv/bin/maturin develop --release --locked > "$log" 2>&1; then
        tail -n 40 "$log" >&2
        die "the build failed; the whole output is in $log"
    fi
    rm -f "$log"
    touch .venv/native.stamp
fi
