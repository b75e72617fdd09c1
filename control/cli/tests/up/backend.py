# A backend as frameworks are: it keeps idle connections for a second, and on SIGTERM it stops
# listening, answers what comes on open connections with `Connection: close`, and ends with the last.
import http.server
import os
import signal
import sys
import threading

record = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
stopping = threading.Event()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 1

    def do_GET(self):
        self.answer(b"read")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        # One write per line: lines of several processes do not mix.
        os.write(record, body + b"\n")
        self.answer(body)

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        if stopping.is_set():
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128


server = Server((os.environ["HOST"], int(os.environ["PORT"])), Handler)


def stop(*_):
    stopping.set()
    threading.Thread(target=server.shutdown).start()


signal.signal(signal.SIGTERM, stop)
server.serve_forever(poll_interval=0.01)
server.socket.close()
