"""The examples echo_server and echo_client, with each other and with ordinary peers."""

import os
import socket
import threading

import harness


def setUpModule():
    """A network without a way out: names that do not exist are refused at once."""
    harness.enter_private_network(
        resolv_conf="nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
        hosts="127.0.0.1 localhost\n",
    )


class EchoServer(harness.Case):
    def serve(self, *options, env=None):
        self.port = harness.free_port()
        address = f"127.0.0.1:{self.port}"
        program = harness.example("echo_server")
        return self.start(program, *options, address, port=self.port, env=env)

    def test_thousand_clients_are_held_and_answered(self):
        server = self.serve()
        with harness.EchoClients(self.port, 1000) as clients:
            self.assertEqual(clients.exchange(), 1000)
            self.assertEqual(clients.exchange(size=5000), 1000)
            self.assertEqual(server.threads(), 1)
        harness.wait_until(lambda: server.fds() < 100, "the server to close what its clients left")
        self.assertTrue(server.alive())

    def test_large_data_comes_back_whole(self):
        self.serve()
        data = os.urandom(1 << 20)
        got = bytearray()
        with socket.create_connection(("127.0.0.1", self.port), harness.BOUND) as s:
            sender = threading.Thread(target=s.sendall, args=(data,))
            sender.start()
            while len(got) < len(data) and (some := s.recv(65536)):
                got += some
            sender.join()
            s.shutdown(socket.SHUT_WR)
            self.assertEqual(s.recv(1), b"", "the server closes after the client's end")
        self.assertEqual(bytes(got), data)

    def test_clients_that_vanish_harm_nobody(self):
        server = self.serve()
        with harness.EchoClients(self.port, 1) as steady:
            for _ in range(50):
                s = socket.create_connection(("127.0.0.1", self.port))
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset
                s.sendall(b"x" * 100)
                s.close()
            self.assertEqual(steady.exchange(), 1)
        self.assertTrue(server.alive())

    def test_several_hubs_answer(self):
        server = self.serve(env={"GREEN_HUBS": "2"})
        with harness.EchoClients(self.port, 200) as clients:
            self.assertEqual(clients.exchange(), 200)
        self.assertTrue(server.alive())

    def test_ipv6(self):
        port = harness.free_port()
        try:
            socket.create_server(("::1", port), family=socket.AF_INET6).close()
        except OSError as error:
            self.skipTest(f"no IPv6 here: {error}")
        server = self.start(harness.example("echo_server"), f"[::1]:{port}")
        harness.wait_until(lambda: harness.listens(port, "::1"), f"port {port}: {server.output()}")
        with harness.EchoClients(port, 3, host="::1") as clients:
            self.assertEqual(clients.exchange(), 3)

    def test_port_in_use(self):
        self.serve()
        self.assert_complains(
            [harness.example("echo_server"), f"127.0.0.1:{self.port}"], "in use", str(self.port)
        )

    def test_unresolvable_address(self):
        address = "no-such-host.invalid:7000"
        self.assert_complains([harness.example("echo_server"), address], "no-such-host")

    # Scenario 131: clients wait until there are some again.
    def test_fd_limit_pauses_but_does_not_end_it(self):
        port = harness.free_port()
        server = self.start(
            "sh", "-c", f"ulimit -n 40; exec {harness.example('echo_server')} 127.0.0.1:{port}",
            port=port,
        )  # fmt: skip
        with harness.EchoClients(port, 60) as crowd:
            crowd.sockets[0].sendall(b"hello")
            self.assertEqual(crowd.sockets[0].recv(5), b"hello")
        harness.wait_until(lambda: server.fds() < 20, "the server to close what its clients left")
        with harness.EchoClients(port, 3) as clients:
            self.assertEqual(clients.exchange(), 3)


class EchoClient(harness.Case):
    def test_it_counts_its_answers(self):
        port = harness.free_port()
        self.start(harness.example("echo_server"), f"127.0.0.1:{port}", port=port)
        address = f"127.0.0.1:{port}"
        done = harness.run([harness.example("echo_client"), "-c", 20, "-n", 50, address])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("20 clients", done.stdout)
        self.assertIn("1000 messages", done.stdout)

    def test_too_few_descriptors(self):
        port = harness.free_port()
        self.start(harness.example("echo_server"), f"127.0.0.1:{port}", port=port)
        client = f"exec {harness.example('echo_client')} -c 100 127.0.0.1:{port}"
        self.assert_complains(["sh", "-c", f"ulimit -n 20; {client}"], "too many open files")

    def test_server_that_ends(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            client = self.start(harness.example("echo_client"), f"127.0.0.1:{port}")
            listener.accept()[0].close()
            self.assertEqual(client.wait(), 1)
            self.assertIn(str(port), client.output())

    def test_refused(self):
        port = harness.free_port()
        address = f"127.0.0.1:{port}"
        self.assert_complains([harness.example("echo_client"), address], "refused", str(port))

    def test_unresolvable(self):
        address = "no-such-host.invalid:7000"
        self.assert_complains([harness.example("echo_client"), address], "no-such-host")


if __name__ == "__main__":
    harness.main()
