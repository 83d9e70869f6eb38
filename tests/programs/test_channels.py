"""The examples over channels: primes and ping_pong."""

import harness


def first_primes(n):
    found = []
    i = 2
    while len(found) < n:
        if all(i % p for p in found):
            found.append(i)
        i += 1
    return found


class Primes(harness.Case):
    def test_first(self):
        for n in (1, 2, 500):
            with self.subTest(n):
                done = harness.run([harness.example("primes"), str(n)])
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertEqual([int(line) for line in done.stdout.split()], first_primes(n))

    def test_bad_count(self):
        for count in ("none", "-1", "0", "12x", ""):
            with self.subTest(count):
                self.assert_complains([harness.example("primes"), count], count)


class PingPong(harness.Case):
    def play(self, *args):
        """The last line: others tell of seconds in which the machine held it up."""
        done = harness.run([harness.example("ping_pong"), *args])
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout.splitlines()[-1]

    def test_one_os_thread(self):
        self.assertRegex(self.play("10000"), r"^10000 rounds on 1 OS thread, \d+ ns each$")

    def test_two_os_threads(self):
        self.assertRegex(self.play("-2", "2000"), r"^2000 rounds on 2 OS threads, \d+ ns each$")

    def test_bad_count(self):
        for args in (("none",), ("-1",), ("0",), ("-2", "x"), ("99999999999999999999",)):
            with self.subTest(args):
                self.assert_complains([harness.example("ping_pong"), *args], args[-1])


if __name__ == "__main__":
    harness.main()
