"""The harness itself: what the other tests rely on without looking."""

import socket
import ssl
import threading
import time
import unittest

import harness
import servers


def setUpModule():
    harness.enter_private_network(
        resolv_conf="nameserver 127.0.0.1\noptions timeout:30 attempts:1\n",
        hosts="127.0.0.1 localhost\n",
        nsswitch_conf="hosts: files dns\n",
    )


def lookup(name):
    """libc's IPv4 answer in a process of its own, so that resolv.conf is read anew."""
    done = harness.run(["getent", "ahostsv4", name])
    return {line.split()[0] for line in done.stdout.splitlines()}


class Dns(harness.Case):
    def serve(self, **options):
        server = servers.DnsServer({"one.test": ["10.0.0.1", "10.0.0.2", "fd00::1"]}, **options)
        self.addCleanup(server.stop)
        return server

    def test_libc_asks_our_server(self):
        server = self.serve()
        self.assertEqual(lookup("one.test"), {"10.0.0.1", "10.0.0.2"})
        self.assertEqual(lookup("none.test"), set())
        self.assertIn(("one.test", servers.A, "udp"), server.queries)

    def test_truncated_answers_come_by_tcp(self):
        server = self.serve(truncate=True)
        self.assertEqual(lookup("one.test"), {"10.0.0.1", "10.0.0.2"})
        self.assertIn(("one.test", servers.A, "tcp"), server.queries)

    def test_delays_pass_side_by_side(self):
        server = self.serve(delay=0.5)
        begin = time.monotonic()
        threads = [
            threading.Thread(target=socket.getaddrinfo, args=("one.test", 80, socket.AF_INET))
            for _ in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertGreaterEqual(time.monotonic() - begin, 0.5)
        self.assertGreater(server.peak, 1)


class Http(harness.Case):
    def test_curl_trusts_the_authority(self):
        authority = harness.Authority(self.tmp)
        server = servers.HttpServer(authority.issue("localhost", "127.0.0.1"))
        self.addCleanup(server.stop)
        url = f"https://localhost:{server.port}"
        done = harness.run(["curl", "-sS", "--cacert", authority.ca, url + "/chunked/2500"])
        self.assertEqual((done.returncode, len(done.stdout)), (0, 2500), done.stderr)
        other = harness.run(["curl", "-sS", "--cacert", "/dev/null", url])
        self.assertNotEqual(other.returncode, 0)

    def test_a_truncated_body_is_noticed(self):
        server = servers.HttpServer()
        self.addCleanup(server.stop)
        done = harness.run(["curl", "-sS", f"http://127.0.0.1:{server.port}/cut"])
        self.assertEqual(done.returncode, 18, done.stderr)


class Processes(harness.Case):
    def test_numbers_of_a_process(self):
        port = harness.free_port()
        process = self.start("python3", "-m", "http.server", port, port=port)
        harness.wait_until(lambda: process.threads() == 1, "the probe's thread to end")
        self.assertGreater(process.rss(), 1 << 20)
        self.assertGreater(process.fds(), 2)
        self.assertGreaterEqual(process.cpu(), 0)
        self.assertEqual(process.stop(), -15)
        self.assertFalse(harness.listens(port))

    def test_a_dead_program_is_reported_with_its_output(self):
        with self.assertRaisesRegex(AssertionError, "last words"):
            self.start("sh", "-c", "echo last words; exit 3", port=harness.free_port())

    def test_what_a_program_starts_ends_with_it(self):
        done = harness.run(["sh", "-c", "sleep 3600 >/dev/null 2>&1 & echo $!"])
        self.assert_gone(done.stdout)

    def test_ports_are_nobody_else_s(self):
        port = harness.free_port()
        with self.assertRaisesRegex(OSError, "in use"), socket.socket() as other:
            other.bind(("127.0.0.1", port))
        socket.create_server(("127.0.0.1", port)).close()

    def test_complaints_are_one_line(self):
        self.assert_complains(["sh", "-c", "echo no such thing >&2; exit 2"], "such")
        with self.assertRaises(AssertionError):
            self.assert_complains(["sh", "-c", "echo; echo >&2; exit 0"])


if __name__ == "__main__":
    harness.main()
