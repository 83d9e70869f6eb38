"""The example threads_echo, native: plain POSIX threads, one a connection."""


import harness


class Native(harness.Case):
    def test_a_thread_a_connection(self):
        port = harness.free_port()
        server = self.start(harness.example("threads_echo"), port, port=port)
        with harness.EchoClients(port, 100) as clients:
            self.assertEqual(clients.exchange(), 100)
            self.assertGreaterEqual(server.threads(), 101)
        harness.wait_until(lambda: server.threads() == 1, "the threads to end with their clients")

    def test_it_knows_nothing_of_libgreen(self):
        needed = harness.run(["ldd", harness.example("threads_echo")]).stdout
        self.assertIn("libc.so", needed)
        self.assertNotIn("green", needed.replace(str(harness.BUILD), ""))

    def test_port_in_use(self):
        port = harness.free_port()
        self.start(harness.example("threads_echo"), port, port=port)
        self.assert_complains([harness.example("threads_echo"), port], "in use")

    def test_bad_port(self):
        self.assert_complains([harness.example("threads_echo"), "no-port"], "no-port")


if __name__ == "__main__":
    harness.main()
