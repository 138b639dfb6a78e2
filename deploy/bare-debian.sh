#!/usr/bin/env bash
# Shows the README's two commands on a bare Debian 12: a fresh root file system with gcc and make, the Rust toolchain
# bound in read-only, and a clean clone of the last commit. Needs root and debootstrap.
#
#   deploy/bare-debian.sh [demo|test|all]      the root file system is kept in $TALON_BARE (default /var/tmp/talon-bare)
set -euo pipefail
cd "$(dirname "$0")/.."
what="${1:-all}"
root="${TALON_BARE:-/var/tmp/talon-bare}"
cargo="${CARGO_HOME:-$HOME/.cargo}"
toolchain=$(rustc --print sysroot)

if [ ! -e "$root/usr/bin/gcc" ]; then
    debootstrap --variant=minbase --include=gcc,make,libc6-dev bookworm "$root"
fi
rm -rf "$root/src"
git clone --quiet . "$root/src"
mkdir -p "$root/toolchain" "$root/registry" "$root/proc" "$root/dev" "$root/tmp"

# A mount namespace of its own: the binds end with it, however this ends.
exec unshare --mount --propagation private bash -euo pipefail -c '
    root=$1 toolchain=$2 registry=$3 what=$4
    mount --bind -o ro "$toolchain" "$root/toolchain"
    mount --bind "$registry" "$root/registry"
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    inside() {
        chroot "$root" /usr/bin/env -i PATH=/toolchain/bin:/usr/bin:/bin HOME=/root CARGO_HOME=/cargo TERM=dumb \
            CARGO_TERM_COLOR=never bash -c "mkdir -p /cargo && ln -sfn /registry /cargo/registry && cd /src && time $1"
    }
    case "$what" in demo|all) inside "cargo run --release -- demo" ;; esac
    case "$what" in test|all) inside "make test" ;; esac
' bash "$root" "$toolchain" "$cargo/registry" "$what"
