"""tests/soak in short: great numbers of everything leave nothing behind."""

import harness

SOAK = harness.BUILD / "tests" / "soak" / "soak"


class Soak(harness.Case):
    def test_in_short(self):
        """Scenarios 8, 38, 39, 51, 63, 84, 85: memory, descriptors, threads, timers as before."""
        done = harness.run([SOAK, "--quick"], bound=300)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(done.stdout.splitlines()[-1], "all is as it was")

    def test_options(self):
        for arguments, status in (
            (["--help"], 0),
            (["--frobnicate"], 2),
            (["--times", "none"], 2),
            (["no such trial"], 1),
        ):
            with self.subTest(arguments):
                self.assertEqual(harness.run([SOAK, *arguments]).returncode, status)


if __name__ == "__main__":
    harness.main()
