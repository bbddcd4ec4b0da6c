/** Receivers of positions that talk by themselves: NMEA 0183, each sentence with its checksum. */
import { defineMapper, Misconfigured, type Reading, Refused, Unreachable } from '@limpet/dmi';
import { Line } from '@limpet/dmi/line';
import * as v from 'valibot';
import { parseSentence } from './sentence.ts';

const settings = v.strictObject({
  address: v.pipe(v.string(), v.regex(/^(tcp|serial):\/.+/, 'expected tcp://… or serial:/…')),
  timeoutMs: v.optional(v.pipe(v.number(), v.integer(), v.minValue(50), v.maxValue(60_000)), 3000),
});
const visitor = v.strictObject({
  sentence: v.pipe(v.string(), v.regex(/^[A-Z]{3}$/, 'expected three letters, e.g. GGA')),
  field: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(80)),
});
type Visitor = v.InferOutput<typeof visitor>;

export default defineMapper({
  protocol: 'nmea-gps',
  settings,
  visitor,
  fits: (_, { type, access }) =>
    type === 'float' && access === 'read'
      ? undefined
      : 'a receiver tells float values, to be read only',
  port: ({ address }) => address.split('?')[0],
  async connect({ address, timeoutMs }, context, signal) {
    const talk = { end: '\r\n', timeoutMs, isAnswer: () => false };
    const line = await Line.open(address, context, talk, signal);
    let lost: Unreachable | undefined; // what was late would be taken for news, so silence is the end of a connection
    return {
      async read(visitors: readonly Visitor[], signal: AbortSignal) {
        if (lost) throw lost;
        const kinds = [...new Set(visitors.map(({ sentence }) => sentence))];
        const next = (kind: string) =>
          line.next((text) => {
            const fields = parseSentence(text);
            return fields?.[0]?.slice(2) === kind ? fields : undefined;
          }, signal);
        const heard = await Promise.all(kinds.map(next)).catch((error: unknown) => {
          if (error instanceof Unreachable) lost = error;
          throw error;
        });
        return visitors.map(({ sentence, field }): Reading => {
          const text = heard[kinds.indexOf(sentence)]?.[field] ?? '';
          if (/^-?\d+(\.\d+)?$/.test(text)) return { ok: true, value: Number(text) };
          const message = `field ${field} of ${sentence} is empty, as without a fix, or is no number`;
          return { ok: false, error: new Refused('NMEA_NO_VALUE', message) };
        });
      },
      write: () =>
        Promise.reject(new Misconfigured('NMEA_READ_ONLY', 'a receiver takes no values')),
      close: () => line.close(),
    };
  },
});
