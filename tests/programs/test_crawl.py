"""The examples crawl (a bounded pool over a web site) and shared_loop (libevent callbacks and green
threads in one loop)."""

import http.server
import threading

import harness


class Site(http.server.ThreadingHTTPServer):
    """A site whose page n links to /2n+1 and, as seen from there, 2n+2, up to 30, to itself, and
    elsewhere."""

    def __init__(self):
        self.lock, self.now, self.most, self.hits = threading.Lock(), 0, 0, []
        super().__init__(("127.0.0.1", 0), Page)
        self.url = f"http://127.0.0.1:{self.server_port}"


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        site = self.server
        with site.lock:
            site.now += 1
            site.most = max(site.most, site.now)
            site.hits.append(self.path)
        n = int(self.path.strip("/") or 0)
        links = [link for m, link in ((2 * n + 1, f"/{2 * n + 1}"), (2 * n + 2, f"{2 * n + 2}"))
                 if m <= 30]
        links += [f"/{n}", f"{site.url}/{n}#part", "#part", "mailto:somebody"]
        links += ["http://127.0.0.1:1/elsewhere", "//127.0.0.1:1/", f"{site.url}0/elsewhere"]
        body = "".join(f'<a href="{link}">x</a>' for link in links).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with site.lock:
            site.now -= 1
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Crawl(harness.Case):
    def test_site(self):
        site = Site()
        thread = threading.Thread(target=site.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(site.server_close)
        self.addCleanup(site.shutdown)
        done = harness.run([harness.example("crawl"), f"{site.url}/0", "4"])
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout.splitlines()[-1], "31 pages, 0 failed")
        self.assertEqual(sorted(site.hits), sorted(f"/{n}" for n in range(31)))
        self.assertLessEqual(site.most, 4)

    def test_bad_input(self):
        self.assert_complains([harness.example("crawl"), "no-url"], "crawl", "no-url")
        self.assert_complains([harness.example("crawl")], "crawl")
        self.assert_complains([harness.example("crawl"), "http://127.0.0.1:1/", "none"], "none")
        url = f"http://127.0.0.1:{harness.free_port()}/"
        done = harness.run([harness.example("crawl"), url])
        self.assertEqual(done.returncode, 1)
        self.assertIn("refused", done.stderr.lower())


class SharedLoop(harness.Case):
    def test_clients(self):
        done = harness.run([harness.example("shared_loop"), "20"])
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(sorted(done.stdout.splitlines()),
                         sorted(f"HELLO FROM GREEN THREAD {n}" for n in range(20)))

    def test_usage(self):
        self.assert_complains([harness.example("shared_loop"), "x"], "shared_loop", "x")
        self.assertEqual(harness.run([harness.example("shared_loop"), "--help"]).returncode, 0)


if __name__ == "__main__":
    harness.main()
