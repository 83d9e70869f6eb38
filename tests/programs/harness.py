"""What the program tests share: processes, ports, certificates, a private network, a TAP runner.

A test file is one topic and runs by itself: python3 tests/programs/test_NOUN.py [TestCase[.test]].
GREEN_BUILD names the build directory (default: build/ in the project's root). Every process is
bounded in time and stopped by the id that it was started with.
"""

import atexit
import contextlib
import ctypes
import os
import pathlib
import resource
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("GREEN_BUILD", ROOT / "build")).resolve()
BOUND = 60  # seconds: generous, for what should take a moment

for _name in list(os.environ):  # what would change what programs do, and say
    if (
        _name.lower().endswith("_proxy")
        or _name == "LD_PRELOAD"
        or (_name.startswith("GREEN_") and _name != "GREEN_BUILD")
    ):
        del os.environ[_name]
os.environ["LC_ALL"] = "C"

_most_files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
FILES = _most_files if 0 < _most_files < 65536 else 65536  # what may be open; -1: any number
resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, _most_files))

_directory = os.environ["TMPDIR"] = tempfile.mkdtemp(prefix="green-")  # for programs, too
atexit.register(shutil.rmtree, _directory, True)


def example(name):
    """The path of an example's binary."""
    return str(BUILD / "examples" / name)


def program(name):
    """The path of a program that only the tests need."""
    return str(BUILD / "tests" / "programs" / name)


def launcher():
    """The path of the green launcher."""
    return str(BUILD / "monkey" / "green")


def need(*programs):
    """Skips the test, or the whole file, if a program is not installed."""
    for program in programs:
        if not shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
            raise unittest.SkipTest(f"{program} is not installed")


def wait_until(condition, what, bound=BOUND):
    """Polls until condition() is true; fails after the bound."""
    end = time.monotonic() + bound
    while not (result := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {bound} s: {what}")
        time.sleep(0.01)
    return result


_reserved = []


def free_port():
    """A TCP port of 127.0.0.1 that is ours until the file ends: who says SO_REUSEADDR, as servers
    do, can listen there, and no other process on this machine gets it by chance."""
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", 0))
    _reserved.append(s)
    return s.getsockname()[1]


def listens(port, host="127.0.0.1"):
    """Whether something accepts connections there."""
    try:
        socket.create_connection((host, port), 5).close()
        return True
    except OSError:
        return False


_running = set()


def _open(argv, env, **options):
    """Starts a program in a process group of its own."""
    process = subprocess.Popen(
        argv, env={**os.environ, **(env or {})}, start_new_session=True, **options
    )
    _running.add(process)
    return process


def _end(process):
    """Ends a program and all that it has started; SIGTERM lets it do so for other groups."""
    if process not in _running:  # the number may be somebody else's
        return
    for number in signal.SIGTERM, signal.SIGKILL:
        with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, number)
            process.wait(5)
    _running.discard(process)


def run(argv, bound=BOUND, env=None, text=None, cwd=None):
    """Runs a program to its end; .stdout and .stderr are text. Killed at the bound."""
    argv = [str(a) for a in argv]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    process = _open(argv, env, cwd=cwd, text=True, errors="replace", **pipes)
    with process:
        try:
            out, err = process.communicate(text or "", bound)
        finally:
            _end(process)
    return subprocess.CompletedProcess(argv, process.returncode, out, err)


def run_in_time(argv, *words, env=None):
    """Runs a program with a deadline, "-t SECONDS" before the other arguments. If these words are
    not on its stdout this machine was too busy for them: then once more, with a later one."""
    program, *arguments = argv
    for seconds in 0.5, 4, 30:
        done = run([program, "-t", seconds, *arguments], env=env)
        if all(word in done.stdout for word in words):
            break
    return done


class Process:
    """A program that runs beside the test, its output in a file."""

    def __init__(self, argv, env=None, cwd=None):
        self.argv = [str(a) for a in argv]
        self._log = tempfile.TemporaryFile()
        streams = {"stdin": subprocess.DEVNULL, "stdout": self._log, "stderr": subprocess.STDOUT}
        self._popen = _open(self.argv, env, cwd=cwd, **streams)
        self.pid = self._popen.pid

    def output(self):
        """What it printed so far, both streams."""
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), size, 0).decode(errors="replace")

    def alive(self):
        return self._popen.poll() is None

    def wait_listening(self, port, host="127.0.0.1"):
        """Returns itself once the port accepts; fails if the program ends before."""

        def ready():
            if not self.alive():
                status = self._popen.returncode
                raise AssertionError(f"{self.argv} ended with {status}: {self.output()}")
            return listens(port, host)

        wait_until(ready, f"{self.argv} listening on port {port}")
        return self

    def wait(self, bound=BOUND):
        """The exit status (negative: the signal that ended it)."""
        return self._popen.wait(bound)

    def stop(self, bound=BOUND):
        """SIGTERM, then SIGKILL; the exit status."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.terminate()
            self._popen.wait(bound)
        _end(self._popen)
        return self._popen.returncode

    def signal(self, number):
        self._popen.send_signal(number)

    def _status(self, field):
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1])
        raise AssertionError(f"no {field} in /proc/{self.pid}/status")

    def threads(self):
        """OS threads now."""
        return self._status("Threads")

    def rss(self):
        """Resident memory in bytes."""
        return self._status("VmRSS") * 1024

    def fds(self):
        """Open file descriptors."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def cpu(self):
        """User and system time in seconds."""
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Case(unittest.TestCase):
    """A test with a directory of its own and processes that end with it."""

    def setUp(self):
        self.tmp = pathlib.Path(tempfile.mkdtemp(dir=_directory))
        self.addCleanup(shutil.rmtree, self.tmp, True)

    def start(self, *argv, port=None, env=None):
        """Starts a program; with a port, returns once it listens there."""
        process = Process(argv, env=env, cwd=self.tmp)
        self.addCleanup(process.stop)
        return process.wait_listening(port) if port else process

    def assert_complains(self, argv, *words, env=None):
        """A refusal: a non-zero status and exactly one line on stderr that has these words."""
        done = run(argv, env=env)
        self.assertGreater(done.returncode, 0, f"{argv} exited {done.returncode}: {done.stdout}")
        lines = done.stderr.strip().splitlines()
        self.assertEqual(len(lines), 1, f"{argv} should print one line on stderr: {done.stderr!r}")
        for word in words:
            self.assertIn(word.lower(), lines[0].lower())

    def assert_gone(self, pid):
        """A process ends, whose number the text is."""
        status = pathlib.Path(f"/proc/{int(pid)}/status")

        def gone():
            try:
                return "State:\tZ" in status.read_text()
            except OSError:
                return True

        wait_until(gone, f"the end of process {int(pid)}")

    def assert_shows(self, program, shown, times=1):
        """A program shows what each name stands for, and without an argument all of it. What has
        deadlines of its own may need a few times on a machine that holds it up."""

        def check(lines, *argv):
            for _ in range(times):
                done = run([program, *argv])
                got = [line.strip() for line in done.stdout.splitlines()]
                if got == lines:
                    break
            self.assertEqual((done.returncode, done.stderr, got), (0, "", lines))

        lines = [f"{name}: {text}" for name, text in shown.items()]
        check(lines)
        for name, line in zip(shown, lines):
            with self.subTest(name):
                check([line], name)


class EchoClients:
    """Many connections to an echo server, all open at once, driven by one thread."""

    def __init__(self, port, count, host="127.0.0.1"):
        self.sockets = []
        if count + 20 > FILES:
            raise unittest.SkipTest(f"only {FILES} files may be open")
        try:
            for _ in range(count):
                self.sockets.append(socket.create_connection((host, port), BOUND))
        except OSError:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for s in self.sockets:
            s.close()

    def exchange(self, size=64, bound=BOUND):
        """Every client sends its own message and reads it back; returns how many got theirs."""
        wanted = {s: (b"%d " % i).ljust(size, b".") for i, s in enumerate(self.sockets)}
        got = dict.fromkeys(self.sockets, b"")
        end = time.monotonic() + bound
        with selectors.DefaultSelector() as selector:
            for s, message in wanted.items():
                s.settimeout(bound)
                s.sendall(message)
                selector.register(s, selectors.EVENT_READ)
            while selector.get_map() and time.monotonic() < end:
                for key, _ in selector.select(1):
                    data = key.fileobj.recv(size)
                    got[key.fileobj] += data
                    if not data or len(got[key.fileobj]) >= size:
                        selector.unregister(key.fileobj)
        return sum(got[s] == wanted[s] for s in self.sockets)


class Authority:
    """A certificate authority that lives for one test: .ca is what clients trust."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.ca = self.directory / "ca.pem"
        self._openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test-ca"
            " -keyout ca.key -out ca.pem"
        )

    def _openssl(self, arguments):
        done = run(["openssl", *arguments.split()], cwd=self.directory)
        if done.returncode:
            raise AssertionError(f"openssl {arguments}: {done.stderr}")

    def issue(self, *names, days=2):
        """A server certificate for names and addresses: the paths of (certificate, key)."""
        stem = "".join(c if c.isalnum() else "_" for c in names[0])
        kinds = ["IP" if n.replace(".", "").isdigit() or ":" in n else "DNS" for n in names]
        extensions = ",".join(f"{kind}:{name}" for kind, name in zip(kinds, names))
        (self.directory / f"{stem}.ext").write_text(f"subjectAltName={extensions}\n")
        self._openssl(
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=server "
            f"-keyout {stem}.key -out {stem}.csr"
        )
        self._openssl(
            f"x509 -req -in {stem}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days {days} "
            f"-extfile {stem}.ext -out {stem}.pem"
        )
        return self.directory / f"{stem}.pem", self.directory / f"{stem}.key"


_CLONE_NEWNS, _CLONE_NEWNET = 0x20000, 0x40000000
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000


def _mount(libc, source, target, flags):
    if libc.mount(source.encode(), target.encode(), None, flags, None) != 0:
        reason = os.strerror(ctypes.get_errno())
        raise unittest.SkipTest(f"no private network: cannot mount on {target}: {reason}")


def _ip(*arguments):
    done = run(["ip", *arguments])
    if done.returncode != 0:
        raise unittest.SkipTest(f"no private network: {done.stderr.strip()}")


def enter_private_network(**files):
    """Moves this process into a network of its own, where any port of 127.0.0.1 is free.

    Call it before any thread starts. The keywords replace files of /etc for this process and its
    children: enter_private_network(resolv_conf="nameserver 127.0.0.1\\n", hosts="..."). (A line
    of resolv.conf cannot name a port, so a test's DNS server must have port 53 for itself.)
    Where that is not allowed, as in many containers, the file is skipped.
    """
    need("ip")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS | _CLONE_NEWNET) != 0:
        raise unittest.SkipTest(f"no private network: {os.strerror(ctypes.get_errno())}")
    _mount(libc, "none", "/", _MS_REC | _MS_PRIVATE)
    for name, text in files.items():
        name = {"resolv_conf": "resolv.conf", "nsswitch_conf": "nsswitch.conf"}.get(name, name)
        source = os.path.join(_directory, name)
        pathlib.Path(source).write_text(text)
        _mount(libc, source, f"/etc/{name}", _MS_BIND)
    _ip("link", "set", "lo", "up")
    # A second address a family, because AI_ADDRCONFIG does not count those of the loopback.
    _ip("address", "add", "10.99.0.1/32", "dev", "lo")
    run(["ip", "address", "add", "fd99::1/128", "dev", "lo"])  # if there is IPv6


class TapResult(unittest.TestResult):
    """Prints each result as a TAP line, as soon as it is known."""

    count = 0

    def _point(self, ok, test, directive="", detail=""):
        TapResult.count += 1
        name = test.id().replace("__main__.", "")
        print(f"{'ok' if ok else 'not ok'} {TapResult.count} - {name}{directive}", flush=True)
        for line in detail.rstrip().splitlines():
            print(f"# {line}", flush=True)

    def addSuccess(self, test):
        self._point(True, test)

    def addSkip(self, test, reason):
        self._point(True, test, f" # SKIP {reason}")

    def addError(self, test, err):
        super().addError(test, err)
        self._point(False, test, detail=self.errors[-1][1])

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._point(False, test, detail=self.failures[-1][1])

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._point(False, subtest, detail=(self.failures + self.errors)[-1][1])


def main():
    """Runs the tests of the file it is called from; arguments choose some of them."""
    module = sys.modules["__main__"]
    loader = unittest.defaultTestLoader
    if sys.argv[1:]:
        suite = loader.loadTestsFromNames(sys.argv[1:], module)
    else:
        suite = loader.loadTestsFromModule(module)
    result = TapResult()
    with contextlib.suppress(KeyboardInterrupt):
        suite.run(result)
    print(f"1..{TapResult.count}")
    sys.exit(0 if result.wasSuccessful() else 1)


def _terminated(*_):
    """The whole file took too long: leave nothing running behind."""
    for process in list(_running):
        _end(process)
    shutil.rmtree(_directory, True)
    os._exit(1)


signal.signal(signal.SIGTERM, _terminated)
