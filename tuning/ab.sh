#!/usr/bin/env bash
# Is NEW slower than BASE? Builds both, runs them in turns on this machine, and lets
# `loadgen compare` judge. See --help.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: tuning/ab.sh [options] BASE NEW [loadgen command and its options]

BASE and NEW are git revisions, or directories with a source tree, which are built as they are.
The same revision twice (A/A) shows what this machine makes of nothing.

Both servers are built here and get the same load generator, the one beside this script. Each run
has a server of its own, pinned to a CPU, on an empty data dir; the load generator has another CPU.
One run of each build makes a pair, and a coin says which of the two goes first: so no rhythm of
the machine can look like a change. At the end the pairs are compared: exit code 0 nothing worse,
4 regressed, 5 no verdict (too few runs).

  --runs N          pairs of runs (default 15: shows 5 % where CPU time scatters by 1.2 %)
  --scenario NAME   what to run: a name of `loadgen scenario` (default many-writers); several times
                    for several. What stands behind NEW is run instead, for example:
                    latency --rate 3000 --consumers 1
  --duration S      measured seconds of a run (default 5)
  --order ORDER     drawn (default), or abba: BASE NEW, NEW BASE, ...
  --seed N          of the coin (default: by the time; it is printed)
  --server-cpu N    CPU of the server (default 0)
  --loadgen-cpu N   CPU of the load generator (default: the last)
  --dir DIR         where the data goes; its disk is measured (default /var/tmp)
  --out DIR         where the results go (default ./ab-DATE-TIME)
  --cache DIR       sources, builds and programs (default ~/.cache/shardway-ab)
  --wanted PERCENT  the change that should be seen (default 5)
  -h, --help        this text

Example: tuning/ab.sh main HEAD --runs 20
Ctrl-C stops the server, removes the data and keeps the results so far.
TEXT
}

die() {
    printf 'ab.sh: %s\n' "$*" >&2
    exit 2
}

say() {
    printf '%s\n' "$*" >&2
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
runs=15 duration=5 order=drawn wanted=5
seed=$(date +%s)
server_cpu=0
loadgen_cpu=$(($(nproc --all) - 1))
data_root=/var/tmp
out=ab-$(date +%Y%m%d-%H%M%S)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/shardway-ab
scenarios=() revisions=() command=()

parse() {
    while (($# > 0)); do
        case $1 in
        -h | --help)
            usage
            exit 0
            ;;
        --runs | --scenario | --duration | --order | --seed | --server-cpu | --loadgen-cpu | \
            --dir | --out | --cache | --wanted)
            (($# > 1)) || die "$1 needs a value"
            case $1 in
            --runs) runs=$2 ;;
            --scenario) scenarios+=("$2") ;;
            --duration) duration=$2 ;;
            --order) order=$2 ;;
            --seed) seed=$2 ;;
            --server-cpu) server_cpu=$2 ;;
            --loadgen-cpu) loadgen_cpu=$2 ;;
            --dir) data_root=$2 ;;
            --out) out=$2 ;;
            --cache) cache=$2 ;;
            --wanted) wanted=$2 ;;
            esac
            shift
            ;;
        -*) die "unknown option $1 (see --help)" ;;
        *)
            if ((${#revisions[@]} == 2)); then
                # The rest belongs to loadgen.
                command=("$@")
                return
            fi
            revisions+=("$1")
            ;;
        esac
        shift
    done
}

parse "$@"
((${#revisions[@]} == 2)) || die "two revisions are compared (see --help)"
[[ $runs =~ ^[1-9][0-9]*$ ]] || die "--runs is a number above 0"
[[ $seed =~ ^[0-9]+$ ]] || die "--seed is a number"
[[ $order == drawn || $order == abba ]] || die "--order is drawn or abba"
((${#scenarios[@]} > 0)) || scenarios=(many-writers)

server_pid='' data='' source_tree=''

# shellcheck disable=SC2317  # it is called by the trap
cleanup() {
    local code=$?
    trap - EXIT INT TERM
    if [[ -n $server_pid ]]; then
        kill -TERM "$server_pid" 2>/dev/null || true
        wait "$server_pid" 2>/dev/null || true
    fi
    [[ -z $data ]] || rm -rf -- "$data"
    if [[ -n $source_tree ]]; then
        git -C "$root" worktree remove --force "$source_tree" 2>/dev/null || true
    fi
    exit "$code"
}
trap cleanup EXIT
trap 'say "interrupted; results so far: $out (loadgen compare $out/base $out/new)"; exit 130' INT TERM

# build DIRECTORY PACKAGE: the path of the program goes to standard output.
build() {
    say "building $2 of $1"
    (cd "$1" && CARGO_TARGET_DIR=$cache/target cargo build --release --locked -p "$2" --bin "$2" >&2)
    printf '%s\n' "$cache/target/release/$2"
}

# server REVISION SIDE: leaves the program in $cache/bin, and its path in $program.
server() {
    local revision=$1 commit name
    if [[ -f $revision/Cargo.toml ]]; then
        # A directory may change at any time: nothing of it is kept.
        name=directory-$2
        program=$(build "$revision" shardway)
        label="$(git -C "$revision" describe --always --dirty 2>/dev/null || echo unknown) in $revision"
    else
        commit=$(git -C "$root" rev-parse --verify --quiet "$revision^{commit}") ||
            die "$revision is neither a revision nor a source tree"
        label=$(git -C "$root" rev-parse --short "$commit")
        name=$commit-$(printf '%s' "$(rustc --version)${RUSTFLAGS:-}" | cksum | cut -d' ' -f1)
        if [[ -x $cache/bin/$name ]]; then
            program=$cache/bin/$name
            return
        fi
        # Always the same path, so that equal sources make equal programs.
        if [[ -z $source_tree ]]; then
            git -C "$root" worktree prune
            git -C "$root" worktree remove --force "$cache/source" 2>/dev/null || true
            git -C "$root" worktree add --quiet --force --detach "$cache/source" "$commit"
            source_tree=$cache/source
        else
            git -C "$source_tree" checkout --quiet --detach "$commit"
        fi
        program=$(build "$source_tree" shardway)
    fi
    cp -- "$program" "$cache/bin/$name.new"
    mv -- "$cache/bin/$name.new" "$cache/bin/$name"
    program=$cache/bin/$name
}

# run PROGRAM LABEL RESULT COMMAND…: one server, one load, one result file.
run() {
    local program=$1 label=$2 result=$3 log=$data/server.log address='' revision=()
    shift 3
    # The log too: the last server said Ready in it.
    rm -rf -- "$data/dir" "$log"
    "$program" serve --cores "cpu:$server_cpu" --listen 127.0.0.1:0 --http off --log error \
        --data-dir "$data/dir" >"$log" 2>&1 </dev/null &
    server_pid=$!
    until grep -qs '^Ready' "$log"; do
        kill -0 "$server_pid" 2>/dev/null || die "the server of $label does not start: $(cat "$log")"
        sleep 0.05
    done
    address=$(sed -n 's/^ *native *\([0-9].*:[0-9]*\).*/\1/p' "$log" | head -n 1)
    [[ -n $address ]] || die "the server of $label does not say where it listens: $(cat "$log")"
    if ((knows_revision)); then
        revision=(--server-revision "$label")
    fi
    "$loadgen" "$@" --server "$address" --cpu "$loadgen_cpu" --dir "$data" --json "$result" \
        "${revision[@]}" >"$data/loadgen.log" 2>&1 ||
        die "loadgen failed with exit code $? on $label: $(tail -n 5 "$data/loadgen.log")"
    kill -TERM "$server_pid"
    wait "$server_pid" || die "the server of $label did not stop in order: $(cat "$log")"
    server_pid=''
}

# pair NUMBER: one run of each build.
pair() {
    local number=$1 sides=(base new) side what shown=''
    if { [[ $order == drawn ]] && ((RANDOM % 2)); } || { [[ $order == abba ]] && ((number % 2 == 0)); }; then
        sides=(new base)
    fi
    for what in "${!loads[@]}"; do
        local load
        read -ra load <<<"${loads[what]}"
        for side in "${sides[@]}"; do
            local result
            result=$(printf '%s/%s/%02d-%s.json' "$out" "$side" "$number" "$what")
            run "${programs[$side]}" "${labels[$side]}" "$result" "${load[@]}"
            shown+=" $side $(sed -n 's/.*"server_cpu_us_per_record": \([0-9.]*\).*/\1/p' "$result" |
                head -n 1 | cut -c1-7)"
        done
    done
    say "pair $number of $runs:$shown us/record"
}

mkdir -p "$cache/bin" "$out/base" "$out/new"
out=$(cd "$out" && pwd)
declare -A programs labels
server "${revisions[0]}" base
programs[base]=$program labels[base]=$label
server "${revisions[1]}" new
programs[new]=$program labels[new]=$label
built=$(build "$root" loadgen)
# Another build in the same cache must not change the tool half way.
cp -- "$built" "$out/loadgen"
loadgen=$out/loadgen
knows_revision=0
if "$loadgen" scenario --help | grep -q -- --server-revision; then
    knows_revision=1
fi
loads=()
if ((${#command[@]} > 0)); then
    loads=("${command[*]}")
else
    for scenario in "${scenarios[@]}"; do
        loads+=("scenario $scenario --duration $duration")
    done
fi

data=$(mktemp -d "$data_root/shardway-ab-XXXXXX")
RANDOM=$seed
say "base ${labels[base]}, new ${labels[new]}; $runs pairs, order $order (seed $seed); results in $out"
if awk -v cpus="$(nproc)" '{ exit !($1 > cpus / 2) }' /proc/loadavg; then
    say "WARNING: this machine is busy ($(cut -d' ' -f1-3 /proc/loadavg)); it takes more runs then"
fi
for ((number = 1; number <= runs; number++)); do
    pair "$number"
done
code=0
"$loadgen" compare "$out/base" "$out/new" --wanted "$wanted" --html "$out/compare.html" \
    --json "$out/compare.json" || code=$?
say "page: $out/compare.html"
exit "$code"
