"""A bench supply that is not ours: SCPI over TCP, or with a path as argument on a pseudo-terminal linked there.

Nothing is answered but queries that exist; what is refused stands in the error queue, oldest first, until asked.
"""

import os
import socketserver
import sys
import tty

state = {"VOLT": 5.0, "CURR": 1.0, "OUTP": False}
limits = {"VOLT": 24.0, "CURR": 3.0}
errors = []
load_ohm = 10.0


def query(header):
    volts = min(state["VOLT"], state["CURR"] * load_ohm) if state["OUTP"] else 0.0
    return {
        "*IDN?": "PYTHON,PSU-3003,000042,1.07",
        "MEAS:VOLT?": f"{volts:.4f}",
        "MEAS:CURR?": f"{volts / load_ohm:+.5E}",
        "VOLT?": f"{state['VOLT']:.3f}",
        "CURR?": f"{state['CURR']:.3f}",
        "OUTP?": str(int(state["OUTP"])),
    }.get(header)


def carry_out(header, argument):
    if header == "OUTP" and argument in ("0", "1", "ON", "OFF"):
        state["OUTP"] = argument in ("1", "ON")
    elif header not in limits:
        errors.append('-113,"Undefined header"')
    elif not 0 <= float(argument) <= limits[header]:
        errors.append('-222,"Data out of range"')
    else:
        state[header] = float(argument)


def answer(line):
    header, _, argument = line.strip().upper().partition(" ")
    if header == "SYST:ERR?":
        return errors.pop(0) if errors else '+0,"No error"'
    if header.endswith("?"):
        held = query(header)
        if held is None:
            errors.append('-113,"Undefined header"')
        return held
    if header:
        carry_out(header, argument)
    return None


def serve(reader, writer):
    for line in reader:
        said = answer(line.decode("ascii", "replace"))
        if said is not None:
            writer.write(f"{said}\n".encode())
            writer.flush()


class Wire(socketserver.StreamRequestHandler):
    def handle(self):
        serve(self.rfile, self.wfile)


if len(sys.argv) > 1:
    device, terminal = os.openpty()
    tty.setraw(terminal)
    os.symlink(os.ttyname(terminal), sys.argv[1])
    print("0", flush=True)
    serve(os.fdopen(device, "rb", 0), os.fdopen(device, "wb", 0, closefd=False))
else:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Wire) as server:
        server.daemon_threads = True
        print(server.server_address[1], flush=True)
        server.serve_forever()
