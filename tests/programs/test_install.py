"""meson install into a prefix, and a stranger's program built against it by pkg-config."""

import os
import re
import subprocess

import harness

PROGRAM = r"""
#include <green.h>
#include <stdio.h>
#ifdef MONKEY
#include <green/monkey.h>
#include <unistd.h>
#endif

/* Names that the library uses inside: a program may have its own. */
int park(void) { return 1; }
int fail(void) { return 2; }
int hub_create(void) { return 3; }

static int nap(void *arg)
{
    (void)arg;
#ifdef MONKEY
    return usleep(300 * 1000);
#else
    return green_sleep(300 * GREEN_MS);
#endif
}

int main(void)
{
    green_group g = GREEN_GROUP_INIT;
    int64_t start = green_now();
#ifdef MONKEY
    if (green_monkey_patch() < 0)
        return 1;
#endif
    for (int i = 0; i < 100; i++)
        green_group_spawn(&g, nap, NULL);
    if (green_group_join(&g) < 0 || park() + fail() + hub_create() != 6)
        return 1;
    puts(green_now() - start < 10 * GREEN_SEC ? "together" : "one after the other");
    return 0;
}
"""


class Install(harness.Case):
    def setUp(self):
        super().setUp()
        self.prefix = os.path.join(self.tmp, "prefix")
        done = harness.run(["meson", "install", "-C", str(harness.BUILD), "--no-rebuild", "--quiet",
                            "--destdir", self.prefix])
        self.assertEqual(done.returncode, 0, done.stderr)
        found = harness.run(["find", self.prefix, "-name", "pkgconfig"]).stdout.split()
        self.assertEqual(len(found), 1)
        self.libdir = os.path.dirname(found[0])
        self.env = dict(os.environ, PKG_CONFIG_PATH=found[0], PKG_CONFIG_SYSROOT_DIR=self.prefix,
                        LD_LIBRARY_PATH=self.libdir)

    def flags(self, *words):
        done = harness.run(["pkg-config", *words], env=self.env)
        self.assertEqual(done.returncode, 0, done.stderr)
        # the sysroot is for libgreen's own paths; the system's libraries are where they are
        return [w for w in done.stdout.split() if not w.startswith("-L") or "green" in w
                or w == f"-L{self.libdir}"]

    def build_and_run(self, *arguments):
        source, program = (os.path.join(self.tmp, n) for n in ("program.c", "program"))
        with open(source, "w") as f:
            f.write(PROGRAM)
        built = harness.run(["gcc", "-Wall", "-Wextra", "-Werror", "-o", program, source,
                             *arguments])
        self.assertEqual(built.returncode, 0, built.stderr)
        done = harness.run([program], env=self.env)
        self.assertEqual((done.returncode, done.stdout), (0, "together\n"), done.stderr)

    def archive(self, name):
        return os.path.join(self.libdir, name)

    def test_shared(self):
        self.build_and_run(*self.flags("--cflags", "--libs", "libgreen"))

    def test_static(self):
        self.build_and_run(*self.flags("--cflags", "libgreen"), self.archive("libgreen.a"),
                           "-levent_core", "-lssl", "-lcrypto", "-pthread")

    def test_monkey(self):
        self.build_and_run("-DMONKEY", *self.flags("--cflags", "--libs", "libgreen-monkey"))

    def test_monkey_static(self):
        self.build_and_run("-DMONKEY", *self.flags("--cflags", "libgreen"),
                           self.archive("libgreen-monkey.a"), self.archive("libgreen.a"),
                           "-levent_core", "-lssl", "-lcrypto", "-pthread")

    def test_launcher(self):
        green = harness.run(["find", self.prefix, "-name", "green", "-type", "f"]).stdout.split()
        self.assertEqual(len(green), 1)
        done = harness.run([green[0], "--stats", "sh", "-c", "echo under green"], env=self.env)
        self.assertEqual((done.returncode, done.stdout), (0, "under green\n"))
        self.assertNotEqual(done.stderr, "")

    def test_only_its_own_names_are_exported(self):
        names = subprocess.run(["nm", "-D", "--defined-only",
                                os.path.join(self.libdir, "libgreen.so")],
                               capture_output=True, text=True, check=True).stdout
        for line in names.splitlines():
            self.assertRegex(line.split()[-1], r"^green_")

    def compile(self, standard, *arguments):
        """Without a warning, by gcc or g++."""
        compiler = "g++" if "++" in standard else "gcc"
        harness.need(compiler)
        built = harness.run([compiler, "-x", "c++" if "++" in standard else "c",
                             f"-std={standard}", "-pedantic", "-Wall", "-Wextra", "-Wshadow",
                             "-Wconversion", "-Werror",
                             *self.flags("--cflags", "libgreen"), *arguments])
        self.assertEqual(built.returncode, 0, f"{standard}: {built.stderr}")

    def headers(self):
        found = harness.run(["find", self.prefix, "-name", "*.h"]).stdout.split()
        self.assertGreater(len(found), 30)
        return found

    def test_each_header_alone(self):
        for header in self.headers():
            for standard in ("c11", "c++11"):
                with self.subTest(header):
                    self.compile(standard, "-fsyntax-only", "-include", header, "/dev/null")

    def test_every_macro(self):
        source = os.path.join(os.path.dirname(__file__), "every_macro.c")
        program = os.path.join(self.tmp, "program")
        for standard in ("c11", "c17", "gnu2x", "c++11", "c++17", "c++20"):
            with self.subTest(standard):
                self.compile(standard, "-D_GNU_SOURCE", source, "-o", program,
                             *self.flags("--libs", "libgreen"))
                done = harness.run([program], env=self.env)
                self.assertEqual(done.returncode, 0, f"every_macro.c:{done.returncode}")
        used = open(source).read()
        for header in self.headers():
            for macro in re.findall(r"#define ((?:GREEN|green)_\w+)", open(header).read()):
                if not re.fullmatch(r"GREEN_(API|BEGIN_DECLS|END_DECLS|PASTE_?)", macro):
                    self.assertRegex(used, rf"\b{macro}\b", f"{header}: not used by {source}")


if __name__ == "__main__":
    harness.main()
