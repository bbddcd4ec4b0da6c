/** Devices that speak lines of text, over TCP or a serial line. */
import { defineMapper } from '@limpet/dmi';
import { Line, lineConnection, lineFits, lineSimulator, lineVisitor } from '@limpet/dmi/line';
import { unknownField } from '@limpet/dmi/schema';
import * as v from 'valibot';

/** How every device of this kind speaks; the simulator speaks the same. */
const wire = { end: '\n', refused: 'ERR' };

/** How one device is reached: what a Device says under `settings`. For a serial line package.json has to permit it too. */
const settings = v.strictObject(
  {
    address: v.pipe(
      v.string(),
      v.regex(
        /^(tcp:\/\/.+:\d+|serial:\/.+)$/,
        'expected tcp://HOST:PORT or serial:/dev/ttyUSB0?baud=9600',
      ),
      v.description('where the device is'),
      v.examples(['tcp://10.0.0.5:5025', 'serial:/dev/ttyUSB0?baud=9600']),
    ),
    timeoutMs: v.optional(
      v.pipe(
        v.number(),
        v.integer(),
        v.minValue(10),
        v.maxValue(60_000),
        v.description('how long an answer may take'),
      ),
      1000,
    ),
  },
  unknownField('address, timeoutMs', 'address is required'),
);

export default defineMapper({
  protocol: 'template-line',
  settings,
  /** Where a property lives: `ask: 'VOLT?'`, `set: 'VOLT {}'`, and what the answer looks like. */
  visitor: lineVisitor,
  fits: lineFits,
  /** Devices of one port take turns. */
  port: ({ address }) => address.split('?')[0],
  async connect({ address, timeoutMs }, context, signal) {
    const line = await Line.open(address, context, { ...wire, timeoutMs }, signal);
    // For more than asking and setting, give an object of your own: { read, write, close }, with line.ask(…).
    return lineConnection(line);
  },
});

/** A pretend device, made of what the visitors say. */
export const simulator = lineSimulator(wire);
