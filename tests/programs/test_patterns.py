"""The example patterns: what is often asked for, made of what there is."""

import harness

SHOWN = {
    "ticker": "tick tick tick",
    "later": "ding",
    "retry": "done at attempt 3",
    "rate": "3 at once, the others in time",
    "debounce": "search for tree",
    "tree": "9 leaves of r7, all ended by its deadline",
    "first-answer": "of server 1",
    "first-failure": "unknown network 'nonsense' (there are tcp, tcp4, tcp6, unix and tls),"
    " after a few",
    "stop-all": "10 have stopped",
    "drain": "1 finished, 1 cut short",
}


class Patterns(harness.Case):
    def test_shown(self):
        self.assert_shows(harness.example("patterns"), SHOWN, times=5)

    def test_unknown(self):
        self.assert_complains([harness.example("patterns"), "ticket"], "ticket")


if __name__ == "__main__":
    harness.main()
