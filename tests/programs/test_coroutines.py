"""The examples pipeline and coroutines: generators and coroutines without any event loop."""

import harness

SHOWN = {
    "tasks": "abcdefghi",
    "iterator": "ash elm oak pine yew",
    "infinite": "0 1 1 2 3 5 8 13 21 34 55 89",
    "exceptions": "cleaned up inner; cleaned up outer; caught outside: Connection timed out",
    "trampoline": "made 1, ate 1; made 2, ate 2; made 3, ate 3;",
}


class Coroutines(harness.Case):
    def test_shown(self):
        self.assert_shows(harness.example("coroutines"), SHOWN)

    def test_unknown(self):
        self.assert_complains([harness.example("coroutines"), "threads"], "threads")
        self.assert_complains([harness.example("coroutines"), "tasks", "and"], "and")


class Pipeline(harness.Case):
    def setUp(self):
        super().setUp()
        self.file = self.tmp / "lines"
        self.file.write_text("green tea\nblack tea\ngreen field\nsea\nevergreen")

    def run_on_file(self, *options):
        done = harness.run([harness.example("pipeline"), *options, self.file])
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def test_filter(self):
        wanted = "     1  green tea\n     2  green field\n     3  evergreen\n"
        self.assertEqual(self.run_on_file("green"), wanted)

    def test_early_end(self):
        self.assertEqual(self.run_on_file("-n", "1", "green"), "     1  green tea\n")
        self.assertEqual(self.run_on_file("-n", "0", "green"), "")
        self.assertEqual(self.run_on_file("nothing"), "")

    def test_standard_input(self):
        done = harness.run([harness.example("pipeline"), "b"], text="abc\nxyz\n")
        self.assertEqual((done.returncode, done.stdout), (0, "     1  abc\n"))

    def test_long_input(self):
        self.file.write_text("".join(f"line {i}\n" for i in range(100000)))
        self.assertEqual(len(self.run_on_file("7").splitlines()), 40951)

    def test_complaints(self):
        pipeline = harness.example("pipeline")
        self.assert_complains([pipeline], "word")
        self.assert_complains([pipeline, "x", self.tmp / "none"], "none", "no such file")
        self.assert_complains([pipeline, "x", self.tmp], "directory")
        self.assert_complains([pipeline, "-n"], "argument")
        self.assert_complains([pipeline, "-n", "12x", "w"], "12x")
        self.assert_complains([pipeline, "a", "b", "c"], "c")


if __name__ == "__main__":
    harness.main()
