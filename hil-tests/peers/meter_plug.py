"""A plug with a meter that is not ours: Python's own HTTP server, answers in the shape of the vendor's manual."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

state = {"output": False}


def status():
    watts = 61.4 if state["output"] else 0
    energy = {"total": 1843.207, "by_minute": [0, 0, 0], "minute_ts": 1763700000}
    return {"id": 0, "source": "HTTP_in", "output": state["output"], "apower": watts, "voltage": 231.8,
            "current": watts / 231.8, "aenergy": energy, "temperature": {"tC": 41.3, "tF": 106.3}}


class Plug(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, method, given):
        if method == "Shelly.GetDeviceInfo":
            return 200, {"name": None, "model": "SNPL-00112EU", "gen": 2, "ver": "1.4.4", "auth_en": False}
        if method not in ("Switch.GetStatus", "Switch.Set"):
            return 404, {"code": 404, "message": f"No handler for {method}"}
        if str(given.get("id")) != "0":
            return 500, {"code": -105, "message": f"Argument 'id', value {given.get('id')} not found!"}
        if method == "Switch.GetStatus":
            return 200, status()
        if given.get("on") not in (True, False, "true", "false"):
            return 500, {"code": -103, "message": "Missing or bad argument 'on'!"}
        was, state["output"] = state["output"], given["on"] in (True, "true")
        return 200, {"was_on": was}

    def do_GET(self):
        self.respond(dict(parse_qsl(urlsplit(self.path).query)))

    def do_POST(self):
        self.respond(json.loads(self.rfile.read(int(self.headers.get("content-length", 0)))))

    def respond(self, given):
        code, document = self.answer(urlsplit(self.path).path.removeprefix("/rpc/"), given)
        body = json.dumps(document).encode()
        self.send_response(code)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


with ThreadingHTTPServer(("127.0.0.1", 0), Plug) as server:
    print(server.server_port, flush=True)
    server.serve_forever()
