"""What every example does alike: it explains itself, and refuses what it does not know."""

import harness

EXAMPLES = (
    "actors",
    "echo_server",
    "echo_client",
    "http_get",
    "sleepers",
    "subprocess",
    "threads_echo",
    "coroutines",
    "crawl",
    "ping_pong",
    "pipeline",
    "primes",
    "shared_loop",
)


class Usage(harness.Case):
    def test_help(self):
        for name in EXAMPLES:
            with self.subTest(name):
                done = harness.run([harness.example(name), "--help"])
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertTrue(done.stdout.startswith(f"usage: {name} "), done.stdout)

    def test_unknown_option(self):
        for name in EXAMPLES:
            with self.subTest(name):
                self.assert_complains([harness.example(name), "--frobnicate"], name, "frobnicate")

    def test_too_many_arguments(self):
        for name in EXAMPLES:
            if name in ("http_get", "subprocess"):  # they take any number
                continue
            with self.subTest(name):
                self.assert_complains([harness.example(name), "1", "2", "3", "4"], "--help")


if __name__ == "__main__":
    harness.main()
