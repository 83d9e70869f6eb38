"""examples/demo, the first thing that a newcomer runs: it must work and show all it promises."""

import re

import harness


class Demo(harness.Case):
    def test_it_shows_the_three_doors(self):
        env = {"GREEN_BUILD": str(harness.BUILD)}
        for _ in range(3):  # it counts OS threads twenty times a second, if it is let
            done = harness.run([harness.ROOT / "examples" / "demo", 200], env=env, bound=180)
            counts = re.findall(r"threads_echo +(\d+) .*", done.stdout)
            if len(counts) == 2 and int(counts[0]) > 100 and counts[1] == "1":
                break
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("200 clients, 60000 messages", done.stdout)
        self.assertEqual(len(re.findall("^   200 .* https:", done.stdout, re.M)), 3)
        answered = re.search("^   100 answered in ([0-9]+) ms$", done.stdout, re.M)
        self.assertIsNotNone(answered, done.stdout)
        self.assertLess(int(answered[1]), 50000, "all of them at once")
        native, green = [line.split() for line in done.stdout.splitlines()[-2:]]
        self.assertEqual((native[0], green[:2]), ("threads_echo", ["green", "threads_echo"]))
        self.assertGreater(int(native[1]), 100, "OS threads of the native program")
        self.assertEqual(int(green[2]), 1, "OS threads of the greened program")

    def test_usage(self):
        demo = harness.ROOT / "examples" / "demo"
        self.assertTrue(harness.run([demo, "--help"]).stdout.startswith("usage: "))
        for wrong in ("many", "0", "-5", "1e3"):
            self.assert_complains([demo, wrong], "usage")


if __name__ == "__main__":
    harness.main()
