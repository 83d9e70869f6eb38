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
    "patterns",
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

    def test_output_that_goes_nowhere(self):
        commands = (
            "actors 10",
            "coroutines",
            "patterns",
            "ping_pong 10",
            "pipeline a /etc/passwd",
            "primes 2000",
            "shared_loop 3",
            "sleepers 10",
            "subprocess 'echo a'",
        )
        for command in commands:
            with self.subTest(command):
                shell = f"{harness.example(command)} >/dev/full"
                self.assert_complains(["sh", "-c", shell], "standard output")

    def test_numbers(self):
        for command in ("crawl http://h/", "shared_loop", "echo_client -c", "sleepers"):
            for wrong in ("0", "-1", "5x", "1e3", "99999999999999999999"):
                with self.subTest(f"{command} {wrong}"):
                    name, *arguments = command.split()
                    self.assert_complains([harness.example(name), *arguments, wrong], wrong)


if __name__ == "__main__":
    harness.main()
