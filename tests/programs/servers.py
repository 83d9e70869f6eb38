"""Servers that the program tests script: DNS and HTTP, slow and broken on purpose.

They run on threads of the test itself and record what they saw.
"""

import contextlib
import heapq
import http.server
import itertools
import socket
import ssl
import struct
import threading
import time

A, AAAA = 1, 28
NOERROR, NXDOMAIN = 0, 3
_SO_RCVBUFFORCE = 33


class DnsServer:
    """Answers from a table {name: [address, ...]}, over UDP and TCP of one port.

    delay      seconds that each UDP answer waits, all of them side by side
    together   no UDP answer leaves before so many queries wait for theirs at once
    truncate   UDP answers carry no records and the TC bit, so that clients must come by TCP
    silent     names whose queries are never answered
    Names that the table does not have do not exist. queries is the list of (name, type, transport);
    peak is the largest number of queries that waited for their delay at once.
    """

    def __init__(self, table, port=53, delay=0.0, together=1, truncate=False, silent=()):
        self.table = {name.lower(): addresses for name, addresses in table.items()}
        self.delay, self.together = delay, together
        self.truncate, self.silent = truncate, silent
        self.queries, self.peak = [], 0
        self._pending, self._order = [], itertools.count()
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        with contextlib.suppress(PermissionError):  # the system's limit is just 400 queries
            self._udp.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 4 << 20)
        self._udp.bind(("127.0.0.1", port))
        self.port = self._udp.getsockname()[1]
        self._tcp = socket.create_server(("127.0.0.1", self.port), backlog=512)
        self._stopped = False
        loops = (self._serve_udp, self._serve_tcp)
        self._threads = [threading.Thread(target=loop, daemon=True) for loop in loops]
        for thread in self._threads:
            thread.start()

    def stop(self):
        self._stopped = True
        self._tcp.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._udp.close()
        self._tcp.close()

    def _serve_udp(self):
        while not self._stopped:
            left = self._pending[0][0] - time.monotonic() if self._pending else 0.2
            self._udp.settimeout(min(0.2, max(0.001, left)))
            with contextlib.suppress(TimeoutError):
                query, client = self._udp.recvfrom(4096)
                self._schedule(query, client)
            while self._due():
                _, _, answer, client = heapq.heappop(self._pending)
                self._udp.sendto(answer, client)

    def _due(self):
        held = self.peak < self.together
        return not held and self._pending and self._pending[0][0] <= time.monotonic()

    def _schedule(self, query, client):
        answer = self._answer(query, "udp")
        if answer:
            due = time.monotonic() + self.delay
            heapq.heappush(self._pending, (due, next(self._order), answer, client))
            self.peak = max(self.peak, len(self._pending))

    def _serve_tcp(self):
        while not self._stopped:
            try:
                client, _ = self._tcp.accept()
            except OSError:
                return
            threading.Thread(target=self._serve_tcp_client, args=(client,), daemon=True).start()

    def _serve_tcp_client(self, client):
        with client, client.makefile("rb") as stream:
            while len(prefix := stream.read(2)) == 2:
                answer = self._answer(stream.read(struct.unpack("!H", prefix)[0]), "tcp")
                if answer:
                    client.sendall(struct.pack("!H", len(answer)) + answer)

    def _answer(self, query, transport):
        """The answer's packet, or None for a name that gets none."""
        ident, flags = struct.unpack("!HH", query[:4])
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode(errors="replace"))
            at += 1 + query[at]
        name = ".".join(labels).lower()
        kind = struct.unpack("!H", query[at + 1 : at + 3])[0]
        self.queries.append((name, kind, transport))
        if name in self.silent:
            return None
        truncated = self.truncate and transport == "udp"
        addresses = [] if truncated else self._addresses(name, kind)
        code = NOERROR if name in self.table else NXDOMAIN
        flags = 0x8480 | (flags & 0x0100) | (0x0200 if truncated else 0) | code
        head = struct.pack("!HHHHHH", ident, flags, 1, len(addresses), 0, 0)
        records = (struct.pack("!HHHIH", 0xC00C, kind, 1, 1, len(a)) + a for a in addresses)
        return head + query[12 : at + 5] + b"".join(records)

    def _addresses(self, name, kind):
        family = {A: socket.AF_INET, AAAA: socket.AF_INET6}.get(kind)
        texts = self.table.get(name, ()) if family else ()
        wanted = [t for t in texts if (":" in t) == (family == socket.AF_INET6)]
        return [socket.inet_pton(family, t) for t in wanted]


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        """/delay/S waits S seconds first; /drip/N sends N bytes, each 0.1 s apart; /size/N sends
        N bytes; /chunked/N the same in chunks; /status/N has that status; /hang never answers;
        /cut promises more than it sends; anything else answers with its own path."""
        self.server.seen.append(self.path)
        verb, _, value = self.path.strip("/").partition("/")
        getattr(self, "get_" + verb, self.get_path)(value)

    def get_path(self, _, status=200):
        self.reply((self.path + "\n").encode(), status)

    def get_delay(self, value):
        self.server.stopping.wait(float(value))
        self.get_path(value)

    def get_hang(self, _):
        self.server.stopping.wait()
        self.close_connection = True

    def get_status(self, value):
        self.get_path(value, int(value))

    def get_size(self, value):
        self.reply(b"x" * int(value))

    def get_cut(self, _):
        self.headers_of(1000)
        self.wfile.write(b"short")
        self.close_connection = True

    def get_drip(self, value):
        self.headers_of(int(value))
        for _ in range(int(value)):
            self.wfile.write(b"x")
            if self.server.stopping.wait(0.1):
                break

    def get_chunked(self, value):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        left = int(value)
        while left:
            size = min(left, 1000)
            self.wfile.write(b"%x\r\n%s\r\n" % (size, b"x" * size))
            left -= size
        self.wfile.write(b"0\r\n\r\n")

    def headers_of(self, length, status=200):
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def reply(self, body, status=200):
        self.headers_of(len(body), status)
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class HttpServer(http.server.ThreadingHTTPServer):
    """An HTTP server of the paths above; with a (certificate, key) pair it speaks TLS."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self, certificate=None, port=0):
        self.seen, self.stopping = [], threading.Event()
        super().__init__(("127.0.0.1", port), _Handler)
        self.port = self.server_address[1]
        self._tls = None
        if certificate:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(*certificate)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def finish_request(self, request, client_address):
        if self._tls:  # on the connection's own thread: a slow handshake stalls nobody
            request = self._tls.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request, client_address):
        pass  # a client that goes away is what many tests are about

    def stop(self):
        self.stopping.set()
        self.shutdown()
        self.server_close()
        self._thread.join()
