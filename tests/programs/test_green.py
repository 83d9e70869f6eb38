"""The launcher: what it starts, what it refuses, and what the program sees of it."""

import os
import pathlib
import re
import shutil
import subprocess

import harness

GREEN = harness.launcher()


class Launcher(harness.Case):
    def run_green(self, *argv, env=None):
        return harness.run([GREEN, *argv], env=env)

    def test_arguments_output_and_status_are_the_programs(self):
        done = self.run_green("sh", "-c", 'echo "$0 $1"; exit 7', "a b", "c")
        self.assertEqual((done.stdout, done.stderr, done.returncode), ("a b c\n", "", 7))

    def test_help_and_version(self):
        done = self.run_green("--help")
        self.assertEqual(done.returncode, 0)
        self.assertIn("usage: green", done.stdout)
        for option in re.findall(r"--[a-z-]+", done.stdout):
            self.assertNotIn("unknown", self.run_green(option, "true").stderr)
        self.assertRegex(self.run_green("--version").stdout, r"^green [0-9.]+\n$")

    def test_refusals(self):
        plain = self.tmp / "plain"
        plain.write_text("no program\n")
        static = self.tmp / "static"
        (self.tmp / "s.c").write_text("int main(void) { return 0; }\n")
        subprocess.run(["cc", "-static", "-o", static, self.tmp / "s.c"], check=True)
        self.assert_complains([GREEN, "--no-such"], "--no-such")
        self.assert_complains([GREEN], "which program")
        self.assert_complains([GREEN, "no-such-program"], "not found")
        self.assert_complains([GREEN, plain], "not an executable")
        self.assert_complains([GREEN, static], "statically linked")
        self.assertEqual(self.run_green("no-such-program").returncode, 127)
        self.assertEqual(self.run_green(plain).returncode, 126)

    def test_another_architecture(self):
        foreign = self.tmp / "foreign"
        elf = bytearray(pathlib.Path(shutil.which("true")).read_bytes())
        elf[18:20] = (183).to_bytes(2, "little")  # EM_AARCH64
        foreign.write_bytes(elf)
        foreign.chmod(0o755)
        self.assert_complains([GREEN, foreign], "architecture")

    def test_stats(self):
        done = self.run_green("--stats", harness.program("pthread_semantics"), "join")
        self.assertRegex(done.stderr, r"^green: process \d+, 100 threads made, \d+ most at once, ")

    def test_inheritance(self):
        show = "/usr/bin/env sh -c 'echo preload=$LD_PRELOAD'; true"
        self.assertIn("libgreen-preload", self.run_green("sh", "-c", show).stdout)
        done = self.run_green("--no-inherit", "sh", "-c", show)
        self.assertEqual(done.stdout, "preload=\n")

    def test_another_preload_entry_is_kept(self):
        done = self.run_green("sh", "-c", "echo $LD_PRELOAD", env={"LD_PRELOAD": "libc.so.6"})
        self.assertRegex(done.stdout, r"/libgreen-preload.so:libc.so.6$")

    def test_the_library_alone_works(self):
        library = os.path.join(os.path.dirname(GREEN), "libgreen-preload.so")
        env = {"LD_PRELOAD": library, "GREEN_STATS": "1"}
        done = harness.run([harness.program("pthread_semantics"), "join"], env=env)
        self.assertEqual(done.stdout, "ok join\n")
        self.assertIn("100 threads made", done.stderr)


if __name__ == "__main__":
    harness.main()
