"""The example http_get: http and https, against nginx, openssl s_server and a server of our own."""

import socket
import time

import harness
import servers

NGINX = """
daemon off; master_process off; error_log stderr; pid {tmp}/nginx.pid;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {tmp}/body; proxy_temp_path {tmp}/proxy; fastcgi_temp_path {tmp}/fastcgi;
    uwsgi_temp_path {tmp}/uwsgi; scgi_temp_path {tmp}/scgi;
    server {{
        listen 127.0.0.1:{plain}; listen 127.0.0.1:{tls} ssl;
        server_name localhost;
        ssl_certificate {certificate}; ssl_certificate_key {key};
        root {tmp}/www;
    }}
}}
"""


def setUpModule():
    """A network without a way out, where localhost is all there is to find."""
    harness.enter_private_network(
        resolv_conf="nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
        hosts="127.0.0.1 localhost\n127.0.0.1 other.test\n",
        nsswitch_conf="hosts: files dns\n",
    )


class HttpGet(harness.Case):
    def setUp(self):
        super().setUp()
        self.authority = harness.Authority(self.tmp)
        self.trust = {"SSL_CERT_FILE": str(self.authority.ca)}

    def get(self, *arguments, bound=harness.BOUND):
        return harness.run([harness.example("http_get"), *arguments], env=self.trust, bound=bound)

    def assert_fails(self, arguments, *words):
        self.assert_complains([harness.example("http_get"), *arguments], *words, env=self.trust)

    def serve(self, certificate=None):
        server = servers.HttpServer(certificate)
        self.addCleanup(server.stop)
        scheme = "https" if certificate else "http"
        return server, f"{scheme}://localhost:{server.port}"

    def test_nginx_plain_and_tls(self):
        harness.need("nginx")
        plain, tls = harness.free_port(), harness.free_port()
        certificate, key = self.authority.issue("localhost")
        (self.tmp / "www").mkdir()
        (self.tmp / "www" / "page").write_bytes(b"x" * 200000)
        configuration = self.tmp / "nginx.conf"
        configuration.write_text(
            NGINX.format(tmp=self.tmp, plain=plain, tls=tls, certificate=certificate, key=key)
        )
        self.start("/usr/sbin/nginx", "-c", configuration, "-e", "stderr", port=tls)
        urls = [f"http://localhost:{plain}/page", f"https://localhost:{tls}/page"] * 20
        done = self.get(*urls)
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), len(urls))
        for url, line in zip(urls, lines):
            self.assertRegex(line, rf"^200 200000 bytes .*{url}$")

    def test_openssl_s_server(self):
        port = harness.free_port()
        certificate, key = self.authority.issue("localhost")
        self.start(
            "openssl", "s_server", "-quiet", "-www", "-accept", f"127.0.0.1:{port}", "-cert",
            certificate, "-key", key, port=port,
        )  # fmt: skip
        done = self.get(f"https://localhost:{port}/")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(done.stdout.startswith("200 "), done.stdout)

    def test_urls_are_fetched_side_by_side(self):
        _, url = self.serve()
        begin = time.monotonic()
        done = self.get(*[f"{url}/delay/1"] * 50)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertLess(time.monotonic() - begin, 45, "fifty seconds, if one after the other")

    def test_chunked_body(self):
        _, url = self.serve(self.authority.issue("localhost"))
        done = self.get(f"{url}/chunked/123456")
        self.assertIn("200 123456 bytes", done.stdout, done.stderr)

    def test_other_status_is_shown(self):
        _, url = self.serve()
        self.assertIn("404 ", self.get(f"{url}/status/404").stdout)

    def test_deadline_ends_a_silent_server(self):
        _, url = self.serve()
        self.assert_fails(["-t", "0.3", f"{url}/hang"], "/hang", "timed out")

    def test_deadline_ends_a_dripping_server(self):
        _, url = self.serve()
        self.assert_fails(["-t", "0.5", f"{url}/drip/10000"], "/drip", "timed out")

    def test_deadline_ends_a_tls_handshake(self):
        with socket.create_server(("127.0.0.1", 0)) as mute:
            port = mute.getsockname()[1]
            self.assert_fails(["-t", "0.3", f"https://localhost:{port}/"], "timed out")

    def test_one_failure_does_not_hide_the_rest(self):
        _, url = self.serve()
        argv = [harness.example("http_get"), f"{url}/hang", f"{url}/fine"]
        done = harness.run_in_time(argv, "/fine", env=self.trust)
        self.assertEqual(done.returncode, 1)
        self.assertIn("/fine", done.stdout)
        self.assertIn("/hang", done.stderr)

    def test_cut_body_is_an_error(self):
        _, url = self.serve()
        self.assert_fails([f"{url}/cut"], "/cut")

    def test_certificate_for_another_name(self):
        _, url = self.serve(self.authority.issue("other.test"))
        self.assert_fails([url], "certificate", "localhost")

    def test_certificate_of_a_stranger(self):
        (self.tmp / "stranger").mkdir()
        stranger = harness.Authority(self.tmp / "stranger")
        _, url = self.serve(stranger.issue("localhost"))
        self.assert_fails([url], "certificate")

    def test_expired_certificate(self):
        _, url = self.serve(self.authority.issue("localhost", days=-1))
        self.assert_fails([url], "certificate", "expired")

    def test_refused(self):
        port = harness.free_port()
        self.assert_fails([f"http://127.0.0.1:{port}/"], "refused", str(port))

    def test_unresolvable_name(self):
        self.assert_fails(["http://no-such-host.invalid/"], "no-such-host.invalid")

    def test_not_a_url(self):
        self.assert_fails(["gopher://localhost/"], "gopher")

    def test_not_http(self):
        port = harness.free_port()
        self.start(harness.example("echo_server"), f"127.0.0.1:{port}", port=port)
        self.assert_fails([f"http://127.0.0.1:{port}/"], str(port))

    def test_bad_deadline(self):
        self.assert_fails(["-t", "soon", "http://localhost/"], "soon")

    def test_no_url(self):
        self.assert_fails([])


if __name__ == "__main__":
    harness.main()
