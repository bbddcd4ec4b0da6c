"""A Modbus device by pymodbus: `modbus_device.py tcp PORT | rtu PATH`. One JSON line on stdin spoils the next answers."""
import asyncio
import json
import sys
import time

from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.device import ModbusDeviceIdentification
from pymodbus.pdu import ExceptionResponse
from pymodbus.server.async_io import ModbusSerialServer, ModbusTcpServer
from pymodbus.transaction import ModbusRtuFramer, ModbusSocketFramer

REGISTERS = 65536
IDENTITY = ModbusDeviceIdentification(info={0: "Limpets & Sons", 1: "PM-5300", 2: "V1.2"})
faults = []  # one dict per answer to come: {"kind": "exception", "code": 6}


def unit():
    """Register n holds n; every third bit is set."""
    registers = lambda: ModbusSequentialDataBlock(0, list(range(REGISTERS)))
    bits = lambda: ModbusSequentialDataBlock(0, [n % 3 == 0 for n in range(REGISTERS)])
    return ModbusSlaveContext(di=bits(), co=bits(), hr=registers(), ir=registers(), zero_mode=True)


def spoil(answer):
    """Called by pymodbus with each answer; returns it or raw bytes, and whether it is raw."""
    fault = faults.pop(0) if faults else {"kind": "none"}
    kind = fault["kind"]
    if kind == "exception":
        refusal = ExceptionResponse(answer.function_code, fault["code"])
        refusal.transaction_id, refusal.unit_id = answer.transaction_id, answer.unit_id
        return refusal, False
    if kind == "delay":
        time.sleep(fault["seconds"])
    elif kind == "silence":
        answer.should_respond = False
    elif kind == "transaction":
        answer.transaction_id = (answer.transaction_id + 1) & 0xFFFF
    elif kind == "unit":
        answer.unit_id = (answer.unit_id + 1) & 0xFF
    elif kind == "raw":
        return bytes.fromhex(fault["hex"]), True
    return answer, False


def obey(loop):
    line = sys.stdin.readline()
    if not line:
        loop.stop()
        return
    order = json.loads(line)
    faults.extend([order] * order.get("times", 1))
    print("TAKEN", flush=True)


async def main():
    kind, where = sys.argv[1:3]
    context = ModbusServerContext(slaves={1: unit(), 2: unit()}, single=False)
    if kind == "tcp":
        server = ModbusTcpServer(context, framer=ModbusSocketFramer, identity=IDENTITY, address=("127.0.0.1", int(where)),
                                 allow_reuse_address=True, defer_start=False)
    else:
        server = ModbusSerialServer(context, framer=ModbusRtuFramer, identity=IDENTITY, port=where, baudrate=19200, stopbits=1,
                                    bytesize=8, parity="N", timeout=1)
        await server.start()
    server.response_manipulator = spoil
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin, obey, loop)
    serving = asyncio.ensure_future(server.serve_forever())
    await asyncio.sleep(0.2)
    print("READY", flush=True)
    await serving


asyncio.run(main())
