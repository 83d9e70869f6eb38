"""The example actors: what falls over is restarted, and nothing is lost or done twice."""

import re

import harness

ACCOUNT = re.compile(r"account (\d): (\d+), restarted (\d+) times")
SUM = re.compile(r"(\d+) payments, (\d+) refused, (\d+) restarts, (\d+) in all of (\d+)")


class Actors(harness.Case):
    def pay(self, count):
        done = harness.run([harness.example("actors"), str(count)])
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        *lines, last = done.stdout.splitlines()
        accounts = [tuple(map(int, ACCOUNT.fullmatch(line).groups())) for line in lines]
        payments, refused, restarts, left, given = map(int, SUM.fullmatch(last).groups())
        self.assertEqual([number for number, _, _ in accounts], list(range(10)))
        self.assertEqual((left, given), (10000, 10000))
        self.assertEqual(sum(balance for _, balance, _ in accounts), 10000)
        self.assertEqual(sum(times for _, _, times in accounts), restarts)
        self.assertEqual(payments, count)
        return refused, restarts

    def test_sum_is_kept(self):
        for count in (1, 2, 3, 10):
            with self.subTest(count):
                self.pay(count)

    def test_many_restarts(self):
        refused, restarts = self.pay(20000)
        self.assertGreater(refused, 0)
        self.assertLess(refused, 20000)
        self.assertGreater(restarts, 100)

    def test_complaints(self):
        for count in ("none", "-1", "0", "12x", ""):
            with self.subTest(count):
                self.assert_complains([harness.example("actors"), count], count)


if __name__ == "__main__":
    harness.main()
