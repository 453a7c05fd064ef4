#!/usr/bin/env bash
# Sets what `shardway doctor` advises, and takes it back. Each knob has a page in tuning/knobs/.
#
#   tune.sh [--only KNOB,…]   set; what was there before is remembered, once
#   tune.sh --undo            set back what nobody else has changed since
#   tune.sh --dry-run         say what would be done, and change nothing
#
# Kernel settings last until the next boot: shardway-tune.service sets them at each.
set -euo pipefail

usage() {
    cat <<'END'
Usage: tune.sh [OPTION…]

  --only KNOB,…    of scheduler, irq-affinity, governor, swap, io-uring, file-system, memlock, nofile
                   (default: all)
  --data-dir DIR   whose disks and file system (default: data_dir of the config file)
  --cores LIST     CPUs of the server: a count, or numbers such as 0,2-3 (default: cores of the
                   config file, else all)
  --config FILE    (default: /etc/shardway/shardway.toml, if there is one)
  --undo           set everything back
  --dry-run        print what would be done
  --root DIR       /proc, /sys, /etc and /var/lib are below DIR; for tests
  --help

Exit codes: 0 done, 1 something could not be set, 2 wrong usage, or not root.
END
}

all_knobs=scheduler,irq-affinity,governor,swap,io-uring,file-system,memlock,nofile
root='' only=$all_knobs data_dir='' cores='' config='' undo=no dry_run=no
failures=0

say() { printf '%s\n' "$*"; }
complain() { printf 'tune.sh: %s\n' "$*" >&2; }
wrong_usage() {
    complain "$*; see --help"
    exit 2
}

while (($# > 0)); do
    case $1 in
    --only | --data-dir | --cores | --config | --root)
        (($# > 1)) || wrong_usage "$1 needs a value"
        case $1 in
        --only) only=$2 ;;
        --data-dir) data_dir=$2 ;;
        --cores) cores=$2 ;;
        --config) config=$2 ;;
        --root) root=${2%/} ;;
        esac
        shift
        ;;
    --undo) undo=yes ;;
    --dry-run) dry_run=yes ;;
    --help)
        usage
        exit
        ;;
    *) wrong_usage "there is no option $1" ;;
    esac
    shift
done
IFS=, read -ra knobs <<<"$only"
for knob in "${knobs[@]}"; do
    [[ ",$all_knobs," == *",$knob,"* ]] || wrong_usage "there is no knob $knob"
done
if [[ $dry_run == no && -z $root && $(id -u) != 0 ]]; then
    complain "only root can change these settings; --dry-run shows them to everybody"
    exit 2
fi

# One line for each change, tab-separated: kind, what, value before, value after.
state=$root/var/lib/shardway-tune/state

# ---- Changing and remembering --------------------------------------------------------------------

# The value of a setting; of a choice, the word in brackets.
value_of() {
    local text
    text=$(<"$1")
    if [[ $text =~ \[([^]]*)\] ]]; then text=${BASH_REMATCH[1]}; fi
    printf '%s' "$text"
}

# remember KIND WHAT BEFORE AFTER: what was there before the first change is what counts.
remember() {
    local key=$1$'\t'$2 before=$3 others='' known
    mkdir -p "${state%/*}"
    if [[ -e $state ]]; then
        if [[ $1 == line ]]; then key+=$'\t'$3; fi
        known=$(key=$key awk 'index($0, ENVIRON["key"] "\t") == 1' "$state")
        others=$(key=$key awk 'index($0, ENVIRON["key"] "\t") != 1' "$state")
        if [[ -n $known ]]; then IFS=$'\t' read -r _ _ before _ <<<"$known"; fi
    fi
    {
        [[ -z $others ]] || printf '%s\n' "$others"
        printf '%s\t%s\t%s\t%s\n' "$1" "$2" "$before" "$4"
    } >"$state.new"
    mv "$state.new" "$state"
}

# set_value KNOB FILE VALUE
set_value() {
    local knob=$1 file=$2 after=$3 before
    [[ -e $root$file ]] || return 0
    before=$(value_of "$root$file")
    if [[ $before == "$after" ]]; then
        say "$knob: $file is $after already"
        return
    fi
    say "$knob: $file: $before -> $after"
    [[ $dry_run == no ]] || return 0
    if { printf '%s\n' "$after" >"$root$file"; } 2>/dev/null; then
        # As the kernel writes it: a list of CPUs may look different.
        remember value "$file" "$before" "$(value_of "$root$file")"
    elif [[ $knob == irq-affinity ]]; then
        say "irq-affinity: the kernel manages $file itself: left alone"
    else
        complain "$knob: the kernel does not let $file be $after"
        failures=$((failures + 1))
    fi
}

# add_line KNOB FILE LINE: to a file of ours.
add_line() {
    local knob=$1 file=$2 line=$3
    if [[ -e $root$file ]] && grep -qxF -- "$line" "$root$file"; then
        say "$knob: $file has \`$line\` already"
        return
    fi
    say "$knob: $file: + $line"
    [[ $dry_run == no ]] || return 0
    mkdir -p "$root${file%/*}"
    printf '%s\n' "$line" >>"$root$file"
    remember line "$file" "$line" ''
}

# ---- Where the data is ---------------------------------------------------------------------------

# option NAME: from the config file.
option() {
    [[ -r $root$config ]] || return 0
    sed -n "s/^[[:space:]]*$1[[:space:]]*=[[:space:]]*\"\{0,1\}\([^\"#]*\).*/\1/p" "$root$config" |
        sed 's/[[:space:]]*$//' | tail -n 1
}

# Of the mount that the data dir is on: device number, mount point, type, options, source.
mount_of_data() {
    local line point best='' length=-1
    local -a left right
    while IFS= read -r line; do
        read -ra left <<<"${line%% - *}"
        read -ra right <<<"${line##* - }"
        point=${left[4]//\\040/ }
        if [[ "$data_dir/" == "${point%/}/"* ]] && ((${#point} >= length)); then
            length=${#point}
            best="${left[2]}"$'\t'"$point"$'\t'"${right[0]}"$'\t'"${left[5]},${right[2]:-}"
            best+=$'\t'"${right[1]}"
        fi
    done <"$root/proc/self/mountinfo"
    printf '%s\n' "$best"
}

# disks_below DIRECTORY: of the partition, or of what a mapped device is made of.
disks_below() {
    local device=$1 slave found=no
    if [[ -e $device/partition ]]; then device=${device%/*}; fi
    for slave in "$device"/slaves/*; do
        [[ -e $slave ]] || continue
        found=yes
        disks_below "$(readlink -f "$slave")"
    done
    if [[ $found == no && -d $device/queue ]]; then printf '%s\n' "$device"; fi
}

data_disks() {
    local number source device
    IFS=$'\t' read -r number _ _ _ source < <(mount_of_data)
    device=$root/sys/dev/block/$number
    if [[ ! -e $device ]]; then device=$root/sys/class/block/${source#/dev/}; fi
    if [[ -e $device ]]; then disks_below "$(readlink -f "$device")" | sort -u; fi
}

# ---- CPUs ----------------------------------------------------------------------------------------

# cpus LIST: `0,2-3` as one number a line.
cpus() {
    local part
    local -a parts
    IFS=, read -ra parts <<<"$1"
    for part in "${parts[@]}"; do
        [[ $part =~ ^[0-9]+(-[0-9]+)?$ ]] || wrong_usage "\`$1\` is no list of CPUs"
        seq "${part%-*}" "${part#*-}"
    done
}

online() { cpus "$(<"$root/sys/devices/system/cpu/online")"; }

serving() {
    case $cores in
    '' | all) online ;;
    cpu:*) cpus "${cores#cpu:}" ;;
    *[,-]*) cpus "$cores" ;;
    0 | *[!0-9]*) wrong_usage "\`$cores\` names no cores" ;;
    *) online | head -n "$cores" ;;
    esac
}

# interrupts DIRECTORY: those of the device, or of the nearest one above it that has some.
interrupts() {
    local device=$1
    while [[ $device == "$root/sys/devices/"* ]]; do
        if [[ -d $device/msi_irqs ]]; then
            ls "$device/msi_irqs"
            return
        fi
        device=${device%/*}
    done
}

# ---- The knobs -----------------------------------------------------------------------------------

tune_scheduler() {
    local disk
    while IFS= read -r disk; do
        grep -qw none "$disk/queue/scheduler" || continue
        set_value scheduler "/sys/block/${disk##*/}/queue/scheduler" none
    done < <(data_disks)
}

# Interrupts of disk and network go to CPUs without a core, if there are any.
tune_irq_affinity() {
    local free number disk card
    local -a numbers
    free=$(comm -23 <(online | sort) <(serving | sort) | sort -n | paste -sd,)
    if [[ -z $free ]]; then
        say "irq-affinity: every CPU has a core; nothing to move"
        return
    fi
    mapfile -t numbers < <(
        {
            while IFS= read -r disk; do interrupts "$disk"; done < <(data_disks)
            for card in "$root"/sys/class/net/*/device; do
                if [[ -e $card ]]; then interrupts "$(readlink -f "$card")"; fi
            done
        } | sort -nu
    )
    for number in "${numbers[@]}"; do
        set_value irq-affinity "/proc/irq/$number/smp_affinity_list" "$free"
    done
}

tune_governor() {
    local cpu
    while IFS= read -r cpu; do
        set_value governor "/sys/devices/system/cpu/cpu$cpu/cpufreq/scaling_governor" performance
    done < <(serving)
}

tune_swap() { set_value swap /proc/sys/vm/swappiness 1; }

tune_io_uring() { set_value io-uring /proc/sys/kernel/io_uring_disabled 0; }

# Only what may change under a running system; the journal mode is a matter of the next mount.
tune_file_system() {
    local point options
    IFS=$'\t' read -r _ point _ options _ < <(mount_of_data)
    if [[ ",$options," != *,discard,* ]]; then
        say "file-system: $point is mounted without discard already"
        return
    fi
    say "file-system: mount -o remount,nodiscard $point"
    [[ $dry_run == no ]] || return 0
    if [[ -n $root ]] || mount -o remount,nodiscard "$point"; then
        remember mount "$point" discard nodiscard
    else
        failures=$((failures + 1))
    fi
}

limits_file=/etc/security/limits.d/60-shardway.conf
tune_memlock() { add_line memlock $limits_file "shardway - memlock unlimited"; }
tune_nofile() { add_line nofile $limits_file "shardway - nofile 1048576"; }

# ---- Undo ----------------------------------------------------------------------------------------

undo_value() {
    local file=$1 before=$2 after=$3 now
    if [[ ! -e $root$file ]]; then
        say "$file is gone"
        return
    fi
    now=$(value_of "$root$file")
    if [[ $now != "$after" ]]; then
        say "$file is $now, which somebody else has set: left alone"
        return
    fi
    say "$file: $now -> $before"
    [[ $dry_run == no ]] || return 0
    { printf '%s\n' "$before" >"$root$file"; } 2>/dev/null || return 1
}

undo_line() {
    local file=$1 line=$2 rest
    [[ -e $root$file ]] || return 0
    say "$file: - $line"
    [[ $dry_run == no ]] || return 0
    rest=$(grep -vxF -- "$line" "$root$file" || true)
    if [[ -n $rest ]]; then printf '%s\n' "$rest" >"$root$file"; else rm "$root$file"; fi
}

undo_all() {
    local kind what before after
    if [[ ! -e $state ]]; then
        say "nothing to undo"
        return
    fi
    # The last change first. What cannot be undone stays in the state.
    local kept=''
    while IFS=$'\t' read -r kind what before after; do
        local done=yes
        case $kind in
        value) undo_value "$what" "$before" "$after" || done=no ;;
        line) undo_line "$what" "$before" || done=no ;;
        mount)
            say "mount -o remount,$before $what"
            if [[ $dry_run == no && -z $root ]]; then
                mount -o "remount,$before" "$what" || done=no
            fi
            ;;
        esac
        if [[ $done == no ]]; then
            complain "$what cannot be set back to $before"
            failures=$((failures + 1))
            kept=$kind$'\t'$what$'\t'$before$'\t'$after$'\n'$kept
        fi
    done < <(tac "$state")
    [[ $dry_run == no ]] || return 0
    if [[ -n $kept ]]; then
        printf '%s' "$kept" >"$state"
    else
        rm "$state"
        rmdir "${state%/*}" 2>/dev/null || true
    fi
}

# ---- What was asked for --------------------------------------------------------------------------

if [[ $undo == yes ]]; then
    undo_all
else
    config=${config:-/etc/shardway/shardway.toml}
    data_dir=${data_dir:-$(option data_dir)}
    data_dir=${data_dir:-/var/lib/shardway}
    cores=${cores:-$(option cores)}
    # Links count where they lead; a fake root has none.
    if [[ -z $root ]]; then data_dir=$(readlink -m "$data_dir"); fi
    for knob in "${knobs[@]}"; do
        "tune_${knob//-/_}"
    done
fi
if ((failures > 0)); then
    complain "$failures settings could not be changed"
    exit 1
fi
