"""The example subprocess: several commands at once, their lines, their ends, a deadline."""

import signal
import time

import harness


class Subprocess(harness.Case):
    def run_it(self, *arguments):
        return harness.run([harness.example("subprocess"), *arguments])

    def test_lines_have_the_command_s_number(self):
        done = self.run_it("echo one; echo uno >&2", "echo two; printf end")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(sorted(done.stdout.splitlines()), ["1: one", "2: end", "2: two"])
        self.assertEqual(done.stderr, "1! uno\n")

    def test_a_lot_of_output(self):
        done = self.run_it(*["seq 1 20000"] * 5)
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), 100000)
        for number in range(1, 6):
            prefix = f"{number}: "
            mine = [int(line[len(prefix):]) for line in lines if line.startswith(prefix)]
            self.assertEqual(mine, list(range(1, 20001)))

    def test_long_lines_come_in_parts(self):
        done = self.run_it("head -c 10000 /dev/zero | tr '\\0' x; echo")
        text = "".join(line[3:] for line in done.stdout.splitlines())
        self.assertEqual(text, "x" * 10000)

    def test_commands_run_side_by_side(self):
        begin = time.monotonic()
        self.assertEqual(self.run_it(*["sleep 1"] * 30).returncode, 0)
        self.assertLess(time.monotonic() - begin, 28, "thirty seconds, if one after the other")

    def test_ends_are_told(self):
        done = self.run_it("exit 3", "kill -9 $$", "true", "no-such-command-here")
        self.assertEqual(done.returncode, 1)
        self.assertIn("subprocess: exit 3: exit status 3\n", done.stderr)
        self.assertIn("killed by signal 9\n", done.stderr)
        self.assertIn("no-such-command-here: exit status 127\n", done.stderr)
        self.assertNotIn("true", done.stderr)

    # Scenario 151: given up.
    def test_deadline_kills_the_command_and_its_children(self):
        pids = self.tmp / "pids"
        command = f"sleep 3600 & echo $! > {pids}; echo started; wait"
        argv = [harness.example("subprocess"), command, "echo quick"]
        done = harness.run_in_time(argv, "started", "quick")
        self.assertEqual(done.returncode, 1)
        self.assertIn("1: started\n", done.stdout)
        self.assertIn("2: quick\n", done.stdout)
        self.assertIn("timed out", done.stderr)
        self.assert_gone(pids.read_text())

    # Scenario 156: an interrupt is for the commands, too, though no terminal sends it them.
    def test_interrupt_kills_the_commands(self):
        pids = self.tmp / "pids"
        command = f"sleep 3600 & echo $! > {pids}; echo started; wait"
        process = self.start(harness.example("subprocess"), command, "sleep 3600")
        harness.wait_until(lambda: "1: started" in process.output(), "the command to start")
        process.signal(signal.SIGTERM)
        self.assertEqual(process.wait(), -signal.SIGTERM)
        self.assertEqual(process.output(), "1: started\n")
        self.assert_gone(pids.read_text())

    def test_bad_usage(self):
        self.assert_complains([harness.example("subprocess"), "-t", "soon", "true"], "soon")
        self.assert_complains([harness.example("subprocess")], "no command")


if __name__ == "__main__":
    harness.main()
