#!/usr/bin/env bash
# Builds the package, and installs, upgrades, removes and purges it in a Debian of its own that runs
# systemd in a container. Needs root, cargo-deb, systemd-nspawn, and debootstrap with a mirror. What
# cannot be looked at here is said aloud; exit code 1 is a failure, 3 is nothing tested.
#
#   test-deb.sh [--profile dev|release] [--deb OLD --deb NEW]
set -euo pipefail
cd "$(dirname "$0")/../.."

# The release that the metadata in Cargo.toml were written for.
cargo_deb_wanted=3.8.0
profile=dev
debs=()
while (($# > 0)); do
    case $1 in
    --profile) profile=$2 ;;
    --deb) debs+=("$(readlink -f "$2")") ;;
    *)
        echo "test-deb.sh: there is no option $1" >&2
        exit 2
        ;;
    esac
    shift 2
done

loud() { printf '\n!!!!!!!! %s\n\n' "$*" >&2; }
skip() {
    loud "NOT TESTED: the package, because $1. To mend it: $2"
    exit 3
}
fail() {
    loud "FAILED: $*"
    exit 1
}

command -v dpkg-deb >/dev/null || skip "there is no dpkg-deb" "run it on Debian or Ubuntu"
[[ $(id -u) == 0 ]] || skip "only root can chroot" "run it as root"
for tool in debootstrap:debootstrap systemd-nspawn:systemd-container nsenter:util-linux; do
    command -v "${tool%:*}" >/dev/null || skip "there is no ${tool%:*}" "apt-get install ${tool#*:}"
done

work=$(mktemp -d /var/tmp/shardway-deb.XXXXXX)
root=$work/root
nspawn='' leader=''
cleanup() {
    if [[ -n $nspawn ]] && kill -0 "$nspawn" 2>/dev/null; then
        # It ends with its container.
        kill -KILL "${leader:-$nspawn}" 2>/dev/null || true
        wait "$nspawn" 2>/dev/null || true
    fi
    rm -rf --one-file-system "$work"
}
trap cleanup EXIT

# ---- The packages: this version, and the same again as the next one ------------------------------

if ((${#debs[@]} == 0)); then
    cargo deb --version >/dev/null 2>&1 ||
        skip "there is no cargo-deb" "cargo install cargo-deb --locked --version $cargo_deb_wanted"
    version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
    cargo deb --profile "$profile" --deb-revision 1 --output "$work/old.deb"
    cargo deb --profile "$profile" --no-build --deb-version "$version-2" --output "$work/new.deb"
    debs=("$work/old.deb" "$work/new.deb")
fi
old=${debs[0]} new=${debs[1]}

if command -v lintian >/dev/null; then
    lintian --fail-on error --suppress-tags-from-file tuning/packaging/lintian-accepted "$old" ||
        fail "lintian"
else
    loud "NOT TESTED: lintian. To mend it: apt-get install lintian"
fi

# ---- A Debian of its own, started, without a network ----------------------------------------------

if [[ -n ${SHARDWAY_DEB_ROOT:-} ]]; then
    # A tree that debootstrap has made before; it is copied.
    cp -a "$SHARDWAY_DEB_ROOT" "$root"
else
    debootstrap --variant=minbase --include=adduser,dbus,systemd,systemd-sysv \
        "${SHARDWAY_DEB_SUITE:-bookworm}" "$root" "${SHARDWAY_DEB_MIRROR:-http://deb.debian.org/debian}" \
        >"$work/debootstrap.log" 2>&1 || {
        tail -n 5 "$work/debootstrap.log" >&2
        skip "debootstrap has failed" "give a mirror in SHARDWAY_DEB_MIRROR"
    }
fi
systemd-nspawn --quiet --register=no --keep-unit --private-network --console=pipe --boot \
    --system-call-filter="@aio @memlock" --directory="$root" >"$work/console.log" 2>&1 </dev/null &
nspawn=$!
# inside COMMAND…: in the container, as its root.
inside() {
    nsenter --target "$leader" --all --root --wd -- \
        /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive "$@"
}
state=''
for _ in {1..600}; do
    sleep 0.2
    kill -0 "$nspawn" 2>/dev/null || break
    leader=$(pgrep -P "$nspawn" | head -n 1) || continue
    state=$(inside systemctl is-system-running 2>/dev/null || true)
    if [[ $state == running || $state == degraded ]]; then break; fi
done
if [[ $state != running && $state != degraded ]]; then
    tail -n 20 "$work/console.log" >&2
    skip "systemd does not start in a container here" "use a machine with cgroups that root may change"
fi

install_deb() {
    cp "$1" "$root/var/tmp/shardway.deb"
    inside dpkg --install /var/tmp/shardway.deb || fail "dpkg --install $1"
}
# expect WHAT COMMAND…
expect() {
    local what=$1
    shift
    "$@" >"$work/said" 2>&1 || {
        cat "$work/said" >&2
        inside journalctl --no-pager -n 30 -u shardway >&2 || true
        fail "$what"
    }
    printf 'ok    %s\n' "$what"
}
# within COMMAND…: succeeds within some seconds.
within() {
    for _ in {1..150}; do
        if "$@"; then return 0; fi
        sleep 0.2
    done
    return 1
}
is_mode() { [[ $(inside stat -c '%a %U:%G' "$1") == "$2" ]]; }
gone() { [[ ! -e $root$1 && ! -L $root$1 ]]; }
is_state() { [[ $(inside systemctl show --property "$1" --value shardway.service) == "$2" ]]; }
# proc_has FILE PATTERN: in the server's directory of /proc.
proc_has() {
    inside grep -Eq "$2" "/proc/$(inside systemctl show --property MainPID --value shardway)/$1"
}
reads() { [[ $(inside shardway tail orders --no-follow | wc -l) == "$1" ]]; }
enabled=/etc/systemd/system/multi-user.target.wants/shardway.service

# ---- Install -------------------------------------------------------------------------------------

install_deb "$old"
expect "the user exists and cannot log in" inside sh -c 'getent passwd shardway | grep -q nologin$'
expect "data is for the server alone" is_mode /var/lib/shardway "700 shardway:shardway"
expect "the configuration is not for everybody" is_mode /etc/shardway "750 root:shardway"
expect "the configuration is a conffile" \
    inside sh -c "dpkg-query -W -f '\${Conffiles}' shardway | grep -q /etc/shardway/shardway.toml"
expect "systemd accepts the units" inside systemd-analyze verify \
    /usr/lib/systemd/system/shardway.service /usr/lib/systemd/system/shardway-tune.service
expect "the unit starts at boot" inside test -L "$enabled"
expect "tuning does not, unless it is asked for" \
    gone /etc/systemd/system/multi-user.target.wants/shardway-tune.service
expect "the server runs, and has said that it is ready" inside systemctl is-active --wait shardway
expect "systemd knows by whom" is_state StatusText "$(inside nproc) cores serve 127.0.0.1:4570"
expect "its system calls are filtered" proc_has status '^Seccomp:\s+2$'
expect "it has no capability, and gets none" proc_has status '^CapBnd:\s+0+$'
expect "nor new privileges" proc_has status '^NoNewPrivs:\s+1$'
expect "it cannot write the system" proc_has mountinfo '^\S+ \S+ \S+ \S+ / ro[, ]'
expect "but its data" proc_has mountinfo '^\S+ \S+ \S+ \S+ /var/lib/shardway rw[, ]'
expect "and sees no home" proc_has mountinfo ' /home '
if [[ $(ulimit -Hl) == unlimited ]] || prlimit --memlock=unlimited true 2>/dev/null; then
    expect "its locked memory is not limited" proc_has limits 'locked memory +unlimited'
else
    loud "NOT TESTED: LimitMEMLOCK=, because this root may not raise limits."
fi
expect "a stream can be made" inside shardway stream create orders --shards 2 --limits off
expect "records can be put" inside sh -c 'seq 1 1000 | shardway put orders'
expect "and read" reads 1000
expect "doctor finds the machine fit" inside shardway doctor --config /etc/shardway/shardway.toml
expect "tune.sh shows what it would do" inside /usr/share/shardway/tune.sh --dry-run

# ---- Crash, stop, start --------------------------------------------------------------------------

before=$(inside systemctl show --property MainPID --value shardway.service)
inside systemctl kill --signal KILL shardway
restarted() { ! is_state MainPID "$before" && ! is_state MainPID 0 && is_state ActiveState active; }
expect "after a crash it is started again" within restarted
expect "and has everything" reads 1000
expect "a stop drains" inside sh -c 'systemctl stop shardway && journalctl -u shardway | grep -q "everything is in segments"'
expect "and is no failure" is_state Result success
inside systemctl start shardway
printf 'nonsense = 1\n' >>"$root/etc/shardway/shardway.toml"
inside systemctl restart shardway 2>/dev/null || true
expect "a wrong configuration is not tried again and again" is_state ActiveState failed
sed -i '$d' "$root/etc/shardway/shardway.toml"
expect "until it is right" inside systemctl start shardway

# ---- Upgrade, with a configuration that was changed ----------------------------------------------

echo '# changed' >>"$root/etc/shardway/shardway.toml"
before=$(inside systemctl show --property MainPID --value shardway.service)
install_deb "$new"
expect "an upgrade starts the new version" restarted
expect "and keeps the records" reads 1000
expect "and a changed configuration" grep -qx '# changed' "$root/etc/shardway/shardway.toml"
inside systemctl disable --quiet --now shardway.service
install_deb "$old"
expect "what was disabled stays disabled" gone "$enabled"
inside systemctl enable --quiet --now shardway.service

# ---- Remove and purge ----------------------------------------------------------------------------

inside dpkg --remove shardway || fail "dpkg --remove"
expect "a removal stops the server" inside sh -c '! pidof shardway'
expect "and takes the command" gone /usr/bin/shardway
expect "and keeps the data" test -s "$root/var/lib/shardway/data/SHARDWAY"
expect "and the configuration" test -s "$root/etc/shardway/shardway.toml"
install_deb "$new"
expect "what was kept is found again" reads 1000
touch "$root/etc/shardway/credentials"
inside dpkg --purge shardway || fail "dpkg --purge"
expect "a purge takes the data" gone /var/lib/shardway
expect "and the configuration" gone /etc/shardway/shardway.toml
expect "and the user" inside sh -c '! getent passwd shardway'
expect "and not the keys of an administrator" test -e "$root/etc/shardway/credentials"
left=$(find "$root"/{etc,usr,var/lib} -name '*shardway*' \
    -not -path "$root/etc/shardway" -not -path '*/dpkg/*' 2>/dev/null || true)
expect "nothing else is left" test -z "$left"
printf '\nThe package holds.\n'
