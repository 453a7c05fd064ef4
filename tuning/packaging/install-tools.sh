#!/usr/bin/env bash
# Installs what the checks of scripts, unit and package need: from Debian, as root, and cargo-deb
# from crates.io in the version that test-deb.sh wants.
set -euo pipefail
cd "$(dirname "$0")"

tools=(shellcheck lintian debootstrap systemd systemd-container python3-seccomp)
absent=()
for tool in "${tools[@]}"; do
    dpkg-query -W -f '${Status}' "$tool" 2>/dev/null | grep -q 'ok installed' || absent+=("$tool")
done
if ((${#absent[@]} > 0)); then
    if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
        echo "missing: ${absent[*]}; install them, or run this as root on Debian" >&2
        exit 1
    fi
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${absent[@]}"
fi

wanted=$(sed -n 's/^cargo_deb_wanted=//p' test-deb.sh)
if [[ "$(cargo deb --version 2>/dev/null)" != *"$wanted"* ]]; then
    cargo install cargo-deb --locked --version "$wanted"
fi
