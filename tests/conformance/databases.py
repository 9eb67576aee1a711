"""Starts each database as a process, has the conformance kit look at it, and ends with 1 unless all of them pass.

databases.py all BINARY FOLDER EXAMPLE    what tests/conformance/run calls
databases.py restart|change FOLDER        what the kit calls on the way, of the database whose folder it is
"""

import json
import os
import pathlib
import shlex
import signal
import socket
import subprocess
import sys
import time

# Longer than anything takes; only a hang lasts so long.
CEILING = 60
ALLOWED = "spiffe://lienthong.test/operator/conformance"
# Name, agency and system of its certificate, whether it is the one in Python, and its roles.
DATABASES = (
    ("civil-status", "Z01.DEMO.HOTICH", "ho-tich", False, ("source", "lookup", "sink")),
    ("residence", "Z05.DEMO.CUTRU", "cu-tru", False, ("source", "lookup", "sink")),
    ("citizen-id", "Z06.DEMO.CANCUOC", "can-cuoc", False, ("lookup", "sink")),
    ("medical", "Z07.DEMO.YTE", "y-te", False, ("lookup", "sink")),
    ("social-insurance", "Z02.DEMO.BHXH", "bhyt", False, ("sink",)),
    ("one-stop", "Z08.DEMO.MOTCUA", "mot-cua", False, ("sink",)),
    ("civil-status-in-python", "Z01.DEMO.HOTICH", "ho-tich", True, ("source", "lookup")),
)


def free_port():
    """Below those that the system gives away, because a restart must find it free."""
    low = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for port in range(low - 1, 1024, -1):
        with socket.socket() as tried:
            try:
                tried.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise SystemExit("no port is free")


class Database:
    """A database in a folder; what is needed to start it again is in `start.json`, its process in `pid`."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    def start(self):
        command = json.loads((self.folder / "start.json").read_text())["command"]
        out = self.folder / "out"
        with out.open("w") as stdout, (self.folder / "log").open("a") as stderr:
            process = subprocess.Popen(command, stdout=stdout, stderr=stderr, start_new_session=True)
        (self.folder / "pid").write_text(str(process.pid))
        self.until(lambda: "\n" in out.read_text(), "says where it listens")

    def stop(self):
        pid = int((self.folder / "pid").read_text())
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            return
        self.until(lambda: not alive(pid), "ends")

    def until(self, holds, what):
        end = time.monotonic() + CEILING
        while not holds():
            if time.monotonic() > end:
                raise SystemExit(f"the database in {self.folder} never {what}: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.02)

    def change(self):
        """One more change: the reference databases do it when they are asked, the one in Python by a writer beside it."""
        if not json.loads((self.folder / "start.json").read_text())["python"]:
            return os.kill(int((self.folder / "pid").read_text()), signal.SIGUSR1)
        from datetime import timedelta

        import store
        import synthetic

        books = store.Store(self.folder / "books.sqlite")
        books.commit(synthetic.registrations(1, int(time.time()), timedelta(days=1)))


def alive(pid):
    """Whether a process runs; one that has ended and was not waited for does not."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def look(binary, folder, example, name, agency, system, python, roles):
    own = folder / name
    own.mkdir()
    pki = own / "pki"

    def issue(who, *identity):
        subprocess.run([binary, "pki", "issue", "--dir", pki, "--name", who, *identity], check=True, stdout=subprocess.DEVNULL)

    subprocess.run([binary, "pki", "init", "--dir", pki], check=True, stdout=subprocess.DEVNULL)
    issue("database", "--agency", agency, "--system", system)
    issue("kit", "--operator", "conformance")
    issue("stranger", "--operator", "nobody")
    endpoint, fixtures = f"127.0.0.1:{free_port()}", own / "fixtures.toml"
    tls = ["--ca", pki / "ca.pem", "--certificate", pki / "database.pem", "--key", pki / "database.key"]
    made = subprocess.run([binary, "conformance", "warrant-key", own / "warrant.key"], check=True, capture_output=True)
    (own / "warrant-keys.json").write_bytes(made.stdout)
    shared = [*tls, "--listen", endpoint, "--allow", ALLOWED, "--warrant-keys", own / "warrant-keys.json"]
    if python:
        books, example = own / "books.sqlite", pathlib.Path(example)
        subprocess.run([sys.executable, example / "synthetic.py", books, "600", fixtures], check=True)
        command = [sys.executable, example / "server.py", *shared, "--database", books]
    else:
        command = [binary, "reference-database", name, *shared, "--fixtures", fixtures, "--data-dir", own]
        command += ["--changes", "300"]
    start = {"command": [str(part) for part in command], "python": python}
    (own / "start.json").write_text(json.dumps(start))
    database = Database(own)
    act = lambda what: shlex.join([sys.executable, __file__, what, str(own)])
    kit = [binary, "conformance", "--target", endpoint, "--ca", pki / "ca.pem", "--fixtures", fixtures]
    kit += ["--certificate", pki / "kit.pem", "--key", pki / "kit.key", "--report", own / "report"]
    kit += ["--stranger-certificate", pki / "stranger.pem", "--stranger-key", pki / "stranger.key"]
    kit += ["--warrant-key", own / "warrant.key"]
    kit += ["--restart", act("restart"), "--change", act("change"), "--format", "json"]
    kit += [part for role in roles for part in ("--role", role)]
    try:
        database.start()
        done = subprocess.run(kit, capture_output=True, text=True, timeout=10 * CEILING)
    finally:
        database.stop()
    if done.returncode:
        told = own / "report/report.txt"
        told = told.read_text() if told.exists() else done.stderr
        print(f"{name}: the kit ended with {done.returncode}", told, sep="\n", file=sys.stderr)
        return False
    report = json.loads((own / "report/report.json").read_text())
    cases = [case["status"] for case in report["cases"]]
    print(f"{name}: {report['verdict']}, {cases.count('passed')} of {len(cases)} cases")
    return True


def main():
    what, *arguments = sys.argv[1:]
    if what == "restart":
        Database(arguments[0]).stop()
        Database(arguments[0]).start()
    elif what == "change":
        Database(arguments[0]).change()
    else:
        binary, folder, example = arguments
        # Ended from outside, it ends as after a fault: what was started is stopped.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        if not all([look(binary, pathlib.Path(folder), example, *database) for database in DATABASES]):
            sys.exit(1)


if __name__ == "__main__":
    main()
