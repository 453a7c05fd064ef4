#!/usr/bin/python3
"""Looks at shardway.service without systemd: its score, and a server under its system calls.

    test-unit.py PATH_OF_SHARDWAY

The server runs with the unit's limits, system call filter, address families and without memory
that is both writable and executable, as a user without rights where this is root, and is told
to notify. Mounts, namespaces and devices are not set up: that takes systemd itself. Needs
systemd-analyze and Debian's python3-seccomp. Exit code 1 is a failure, 3 is not tested.
"""

import mmap
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

UNIT = pathlib.Path(__file__).parent / "shardway.service"
SCORE_MAX = 2.0
NOBODY = 65534


def loud(text):
    print(f"\n!!!!!!!! {text}\n", file=sys.stderr)


def ok(text):
    print(f"ok    {text}", flush=True)


def settings(name):
    """The values of a setting, in order."""
    return [line.partition("=")[2] for line in UNIT.read_text().splitlines() if line.startswith(name + "=")]


def group(name):
    """The system calls of a group such as @aio, and of the groups in it."""
    text = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager", name], capture_output=True, text=True, check=True).stdout
    calls = set()
    for word in (line.strip() for line in text.splitlines()[1:]):
        if word.startswith("@"):
            calls |= group(word)
        elif word and not word.startswith("#"):
            calls.add(word)
    return calls


def allowed_calls():
    """What is left when the lines of SystemCallFilter= have been applied one after the other."""
    # systemd adds what a process needs to start and end at all.
    calls = group("@default")
    for value in settings("SystemCallFilter"):
        named = set()
        for word in value.lstrip("~").split():
            named |= group(word) if word.startswith("@") else {word}
        calls = calls - named if value.startswith("~") else calls | named
    return calls | {"execve", "exit", "exit_group", "rt_sigreturn"}


def score():
    run = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", str(UNIT)], capture_output=True, text=True, check=False)
    found = re.search(r"exposure level for \S+: ([0-9.]+)", run.stdout)
    if not found:
        sys.exit(f"systemd-analyze security says nothing: {run.stderr}")
    value = float(found[1])
    if value > SCORE_MAX:
        sys.exit(f"the unit's exposure is {value}, and {SCORE_MAX} is the most")
    ok(f"systemd-analyze security: {value} (at most {SCORE_MAX})")


def confine(calls):
    """In the child: what systemd does between fork and exec, as far as it goes without mounts."""
    import seccomp

    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    denied = seccomp.SyscallFilter(seccomp.ALLOW)
    refuse = seccomp.ERRNO(1)
    both = mmap.PROT_WRITE | mmap.PROT_EXEC
    denied.add_rule(refuse, "mmap", seccomp.Arg(2, seccomp.MASKED_EQ, both, both))
    denied.add_rule(refuse, "mprotect", seccomp.Arg(2, seccomp.MASKED_EQ, mmap.PROT_EXEC, mmap.PROT_EXEC))
    for family in range(0, 46):
        if family not in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6):
            denied.add_rule(seccomp.ERRNO(97), "socket", seccomp.Arg(0, seccomp.EQ, family))
    denied.load()
    listed = seccomp.SyscallFilter(refuse)
    for name in sorted(calls):
        try:
            listed.add_rule(seccomp.ALLOW, name)
        except (RuntimeError, ValueError):
            pass  # Not a call of this architecture, or newer than the library.
    listed.load()


def client(shardway, server, *words, text=None):
    run = subprocess.run([shardway, *words, "--server", server], input=text, capture_output=True, text=True, timeout=120, check=False)
    if run.returncode:
        sys.exit(f"{words}: {run.stderr}")
    return run.stdout


def work(shardway, output):
    """Streams, puts, a tail that reads everything, a request over HTTP."""
    native = re.search(r"native +(\S+)", output)[1]
    http = re.search(r"http +(\S+)", output)[1]
    client(shardway, native, "stream", "create", "orders", "--shards", "2", "--limits", "off")
    lines = "".join(f"record {n}\n" for n in range(20_000))
    client(shardway, native, "put", "orders", text=lines)
    read = client(shardway, native, "tail", "orders", "--no-follow")
    if sorted(read.splitlines()) != sorted(lines.splitlines()):
        sys.exit(f"{len(read.splitlines())} of 20000 records were read")
    request = urllib.request.Request(f"http://{http}/", data=b"{}", headers={"X-Amz-Target": "Kinesis_20131202.ListStreams", "Content-Type": "application/x-amz-json-1.1"})
    try:
        urllib.request.urlopen(request, timeout=60).read()
    except urllib.error.HTTPError as answer:
        # Without a signature it is refused, by a server that reads and writes.
        if answer.code != 400 and answer.code != 403:
            raise


def serve(shardway):
    calls = allowed_calls()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        os.chmod(directory, 0o777)
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind(f"{directory}/notify")
        os.chmod(f"{directory}/notify", 0o777)
        notify.settimeout(1)
        binary = shutil.copy(shardway, directory)
        command = [binary, "serve", "--data-dir", f"{directory}/data", "--cores", "1", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--journal-file-bytes", "16MiB"]
        if os.geteuid() == 0:
            # As much as LimitMEMLOCK=infinity gives.
            try:
                resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            except ValueError:
                loud("NOT TESTED: LimitMEMLOCK=infinity, because this root may not raise limits.")
        log = open(f"{directory}/log", "w+")
        server = subprocess.Popen(command, stdout=log, stderr=log, env={"NOTIFY_SOCKET": f"{directory}/notify"}, preexec_fn=lambda: confine(calls))

        def said():
            return pathlib.Path(f"{directory}/log").read_text()

        def told():
            for _ in range(120):
                try:
                    return notify.recv(4096)
                except TimeoutError:
                    if server.poll() is not None:
                        break
            sys.exit(f"nothing heard of the server:\n{said()}")

        try:
            if not told().startswith(b"READY=1\n"):
                sys.exit(f"not told to be ready:\n{said()}")
            status = pathlib.Path(f"/proc/{server.pid}/status").read_text()
            if not re.search(r"Seccomp:\s+2", status):
                sys.exit("no filter is in place")
            ok(f"the server starts under {len(calls)} allowed system calls, and says so (READY=1)")
            work(shardway, said())
            ok("streams, puts, a tail and HTTP work there")
            server.send_signal(signal.SIGTERM)
            if not told().startswith(b"STOPPING=1\n"):
                sys.exit("not told to be stopping")
            code = server.wait(timeout=120)
            if code or "everything is in segments" not in said():
                sys.exit(f"ended with {code}:\n{said()}")
            ok("SIGTERM drains and ends it (STOPPING=1)")
        finally:
            if server.poll() is None:
                server.kill()
                server.wait()


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if not shutil.which("systemd-analyze"):
        loud("NOT TESTED: the unit, because there is no systemd-analyze. To mend it: apt-get install systemd")
        sys.exit(3)
    score()
    try:
        import seccomp  # noqa: F401
    except ImportError:
        loud("NOT TESTED: the system call filter, because /usr/bin/python3 has no seccomp. To mend it: apt-get install python3-seccomp")
        sys.exit(3)
    serve(sys.argv[1])
    loud("NOT TESTED: ProtectSystem=, PrivateDevices=, PrivateUsers=, ProtectProc= and the like: they take a running systemd.")


if __name__ == "__main__":
    main()
