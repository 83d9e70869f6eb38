"""The example sleepers: many green threads asleep at once on one OS thread."""

import re

import harness


class Sleepers(harness.Case):
    def sleep(self, count):
        done = harness.run([harness.example("sleepers"), count])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(str(count), done.stdout)
        return int(re.search(r"(\d+) bytes", done.stdout)[1])

    def test_one(self):
        self.sleep(1)

    def test_hundred_thousand_are_cheap(self):
        self.assertLess(self.sleep(100000), 20000, "bytes a sleeping thread")

    def test_bad_count(self):
        for count in ("none", "-1", "0", "12x", "99999999999999999999"):
            with self.subTest(count=count):
                self.assert_complains([harness.example("sleepers"), count], count)

    def test_no_memory_for_so_many(self):
        sleepers = f"exec {harness.example('sleepers')} 1000000"
        self.assert_complains(["sh", "-c", f"ulimit -v 2000000; {sleepers}"], "memory")


if __name__ == "__main__":
    harness.main()
