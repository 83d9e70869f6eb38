"""Name look-ups of the library, by the example http_get, against slow and odd name servers."""

import time

import harness
import servers


def setUpModule():
    """The name server of this network is the test's, on port 53."""
    harness.enter_private_network(
        resolv_conf="nameserver 127.0.0.1\nsearch first.test second.test\n"
        "options timeout:30 attempts:2\n",
        hosts="127.0.0.1 localhost in-hosts\n",
        nsswitch_conf="hosts: files dns\n",
    )


class Dns(harness.Case):
    def setUp(self):
        super().setUp()
        self.web = servers.HttpServer()
        self.addCleanup(self.web.stop)

    def serve(self, *names, **options):
        server = servers.DnsServer({name: ["127.0.0.1"] for name in names}, **options)
        self.addCleanup(server.stop)
        return server

    def get(self, names, *options):
        urls = [f"http://{name}:{self.web.port}/" for name in names]
        return harness.run([harness.example("http_get"), *options, *urls])

    def assert_gets(self, names, *options):
        done = self.get(names, *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.count("200 2 bytes"), len(names), done.stdout)

    # Scenario 146: each has a name of its own.
    def test_two_hundred_look_ups_run_side_by_side(self):
        names = [f"name{i}.test" for i in range(200)]
        self.serve(*names, together=400)  # two queries a name
        self.assert_gets(names, "-t", "25")  # earlier than libc asks again

    # Scenario 145: the server does not answer.
    def test_each_is_bounded_by_its_deadline(self):
        silent = [f"silent{i}.test" for i in range(50)]
        self.serve("fine.test", *silent, silent=silent)
        urls = [f"http://{name}:{self.web.port}/" for name in (*silent, "fine.test")]
        begin = time.monotonic()
        done = harness.run_in_time([harness.example("http_get"), *urls], "fine.test")
        self.assertLess(time.monotonic() - begin, 50, "resolv.conf says a minute")
        self.assertEqual(done.returncode, 1)
        self.assertIn("fine.test", done.stdout)
        self.assertEqual(done.stderr.count("timed out"), 50, done.stderr)

    def test_equal_look_ups_are_one(self):
        server = self.serve("same.test", delay=2)
        self.assert_gets(["same.test"] * 50)
        self.assertLessEqual(len(server.queries), 10, server.queries)

    def test_truncated_answers_come_by_tcp(self):
        server = self.serve("large.test", truncate=True)
        self.assert_gets(["large.test"])
        self.assertIn(("large.test", servers.A, "tcp"), server.queries)

    def test_search_domains(self):
        server = self.serve("short.second.test")
        self.assert_gets(["short"])
        self.assertIn("short.first.test", [name for name, _, _ in server.queries])

    # Scenario 143: hosts.
    def test_hosts_file_comes_first(self):
        server = self.serve()
        self.assert_gets(["in-hosts", "localhost", "127.0.0.1"])
        self.assertEqual(server.queries, [])

    # Scenario 143: names.
    def test_name_that_does_not_exist(self):
        self.serve()
        self.assert_complains([harness.example("http_get"), "http://none.test/"], "none.test")

    def test_no_server_at_all(self):
        self.assert_complains([harness.example("http_get"), "http://none.test/"], "none.test")


if __name__ == "__main__":
    harness.main()
