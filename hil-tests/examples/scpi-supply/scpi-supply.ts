/** Bench supplies that speak SCPI: what they refuse they say only in their error queue, never in an answer. */
import { defineMapper, Garbled, type Reading, Refused, Unreachable } from '@limpet/dmi';
import { Line, lineConnection, lineFits, lineVisitor } from '@limpet/dmi/line';
import * as v from 'valibot';

const settings = v.strictObject({
  address: v.pipe(v.string(), v.regex(/^(tcp|serial):\/.+/, 'expected tcp://… or serial:/…')),
  timeoutMs: v.optional(v.pipe(v.number(), v.integer(), v.minValue(50), v.maxValue(60_000)), 1000),
});

/** The oldest error of the queue, which is empty after it. `+0,"No error"` and `0  No Error` are none. */
async function takeErrors(line: Line, signal: AbortSignal): Promise<Refused | undefined> {
  let oldest: Refused | undefined;
  for (let taken = 0; ; taken++) {
    const answer = await line.ask('SYST:ERR?', signal);
    const [, number, text] = /^([+-]?\d+)[,\s]\s*"?([^"]*)"?$/.exec(answer) ?? [];
    if (!number || taken > 64) throw new Garbled('SCPI_ERROR', 'SYST:ERR? must end with a 0');
    if (Number(number) === 0) return oldest;
    oldest ??= new Refused('SCPI_ERROR', `the supply says ${number} ${text}`);
  }
}

export default defineMapper({
  protocol: 'scpi-supply',
  settings,
  visitor: lineVisitor,
  fits: lineFits,
  port: ({ address }) => address.split('?')[0],
  async connect({ address, timeoutMs }, context, signal) {
    const line = await Line.open(address, context, { end: '\n', timeoutMs }, signal);
    const plain = lineConnection(line);
    return {
      close: () => plain.close(),
      async read(visitors, signal) {
        const readings: Reading[] = [];
        for (const visitor of visitors) {
          try {
            readings.push(...(await plain.read([visitor], signal)));
          } catch (lost) {
            // A query that the supply does not know is not answered at all: if it says so, only this one is bad.
            const silent = lost instanceof Unreachable && lost.code === 'LINE_TIMEOUT';
            const error = silent ? await takeErrors(line, signal) : undefined;
            if (!error) throw lost;
            readings.push({ ok: false, error });
          }
        }
        return readings;
      },
      async write(visitor, value, signal) {
        await takeErrors(line, signal); // those of others are not ours
        const held = await plain.write(visitor, value, signal);
        const error = await takeErrors(line, signal);
        if (error) throw error;
        return held;
      },
    };
  },
});
