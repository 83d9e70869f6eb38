"""Programs written for POSIX threads, greened: the same answers, on one OS thread."""

import http.client
import pathlib
import socket
import ssl
import subprocess
import sys

import harness
import servers

GREEN = harness.launcher()

PYTHON_SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = self.path.encode() * 100
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 512
Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


class Semantics(harness.Case):
    """What POSIX and C++ promise of threads."""

    def check(self, *prefix):
        done = harness.run([*prefix, harness.program("pthread_semantics")])
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        lines = done.stdout.splitlines()
        self.assertGreater(len(lines), 25)
        self.assertEqual([line for line in lines if not line.startswith("ok ")], [])

    def test_pthreads_native(self):
        self.check()

    def test_pthreads(self):
        self.check(GREEN)

    def test_cxx(self):
        harness.need("g++")
        source = pathlib.Path(__file__).parent / "cxx_threads.cc"
        program = self.tmp / "cxx_threads"
        subprocess.run(["g++", "-O1", "-pthread", "-o", program, source], check=True)
        done = harness.run([GREEN, program])
        self.assertEqual(done.stdout, "20 destroyed, 0 wrong, answer 42\n", done.stderr)

    def test_program_of_the_library(self):
        """What its main thread waits for is done by a POSIX thread (a look-up in /etc/hosts): there
        is just one OS thread, and yet no deadlock."""
        address = f"localhost:{harness.free_port()}"
        self.assert_complains([GREEN, harness.example("echo_client"), address], "refused")


class Servers(harness.Case):
    """A thread a connection, many connections at once."""

    def green(self, *argv, port):
        return self.start(GREEN, *argv, port=port)

    def test_threads_echo(self):
        port = harness.free_port()
        server = self.green(harness.example("threads_echo"), port, port=port)
        with harness.EchoClients(port, 500) as clients:
            for size in 64, 10000:
                self.assertEqual(clients.exchange(size), 500)
            self.assertEqual(server.threads(), 1)

    def test_python_http_server(self):
        port = harness.free_port()
        script = self.tmp / "server.py"
        script.write_text(PYTHON_SERVER)
        python = sys.executable
        server = self.green(python, script, port, port=port)
        clients = [
            http.client.HTTPConnection("127.0.0.1", port, timeout=harness.BOUND)
            for _ in range(100)
        ]
        for turn in range(3):
            for i, client in enumerate(clients):
                client.request("GET", f"/{turn}/{i}")
            for i, client in enumerate(clients):
                self.assertEqual(client.getresponse().read(), f"/{turn}/{i}".encode() * 100)
            self.assertEqual(server.threads(), 1)
        for client in clients:
            client.close()

    def test_stunnel(self):
        harness.need("stunnel4")
        inner, outer = harness.free_port(), harness.free_port()
        certificate, key = harness.Authority(self.tmp).issue("127.0.0.1")
        self.start(harness.example("threads_echo"), inner, port=inner)
        (self.tmp / "stunnel.conf").write_text(
            f"foreground = yes\npid =\ndebug = err\n[echo]\naccept = 127.0.0.1:{outer}\n"
            f"connect = 127.0.0.1:{inner}\ncert = {certificate}\nkey = {key}\n"
        )
        server = self.green("stunnel4", self.tmp / "stunnel.conf", port=outer)
        context = ssl.create_default_context(cafile=self.tmp / "ca.pem")
        clients = []
        for _ in range(50):
            s = socket.create_connection(("127.0.0.1", outer), harness.BOUND)
            clients.append(context.wrap_socket(s, server_hostname="127.0.0.1"))
        messages = [b"%d." % i * 1000 for i in range(len(clients))]
        for client, message in zip(clients, messages):
            client.sendall(message)
        for client, message in zip(clients, messages):
            got = b""
            while len(got) < len(message) and (data := client.recv(65536)):
                got += data
            self.assertEqual(got, message)
        self.assertEqual(server.threads(), 1)
        for client in clients:
            client.close()
        self.assertEqual(server.stop(), 0)

    def test_tinyproxy(self):
        harness.need("tinyproxy")
        web = servers.HttpServer()
        self.addCleanup(web.stop)
        port = harness.free_port()
        (self.tmp / "tinyproxy.conf").write_text(
            f"Port {port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 500\nLogLevel Critical\n"
        )
        server = self.green("tinyproxy", "-d", "-c", self.tmp / "tinyproxy.conf", port=port)
        address = ("127.0.0.1", port)
        clients = [socket.create_connection(address, harness.BOUND) for _ in range(100)]
        for i, client in enumerate(clients):
            url = f"http://127.0.0.1:{web.port}/{i}"
            client.sendall(f"GET {url} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n".encode())
        self.assertEqual(server.threads(), 1)
        for i, client in enumerate(clients):
            with client, client.makefile("rb") as answer:
                self.assertTrue(answer.read().endswith(f"\r\n\r\n/{i}\n".encode()))
        self.assertEqual(server.stop(), 0)


class Linked(harness.Case):
    """libgreen-monkey: a C driver's blocking calls park green threads."""

    def test_descriptors_in_other_hands(self):
        done = harness.run([harness.program("linked_semantics")])
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual([line[:3] for line in done.stdout.splitlines()], ["ok "] * 4)

    def test_hiredis(self):
        harness.need("redis-server")
        port = harness.free_port()
        redis = ("redis-server", "--port", port, "--save", "", "--bind", "127.0.0.1")
        self.start(*redis, port=port)
        done = harness.run([harness.program("blpop"), port, 100])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"\b100 answered in \d{4,5} ms\n$")  # not 100 seconds


if __name__ == "__main__":
    harness.main()
