/** Devices that speak frames of bytes: a length, a payload (what, register, value), a checksum. */
import { defineMapper, defineSimulator, Garbled, Misconfigured, Refused } from '@limpet/dmi';
import { answerFrames, frameConnection, Frames } from '@limpet/dmi/frames';
import * as v from 'valibot';
const [READ, WRITE, REFUSED] = [1, 2, 0x80];
/** How many bytes a frame has, as its first byte tells. */
const wire = {
  length: (bytes: Buffer) => (bytes.length === 0 ? undefined : bytes.readUInt8() + 2),
};
const sum = (bytes: Iterable<number>) => [...bytes].reduce((all, each) => (all + each) & 255, 0);
const closed = (...bytes: number[]) => Buffer.from([...bytes, sum(bytes)]);
const framed = (...payload: number[]) => closed(payload.length, ...payload);
function word(value: unknown): Buffer {
  if (typeof value === 'number' && (value << 16) >> 16 === value)
    return Buffer.of(value >> 8, value);
  throw new Misconfigured('BYTES_VALUE', 'expected an int of 16 bits');
}
const address = v.pipe(v.string(), v.regex(/^(tcp|serial):/), v.description('where it is'));
const register = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(255));

export default defineMapper({
  protocol: 'template-bytes',
  settings: v.strictObject({ address }),
  visitor: v.strictObject({ register }),
  fits: (_, { type }) => (type === 'int' ? undefined : 'a register holds an int'),
  port: ({ address }) => address.split('?')[0],
  async connect({ address }, context, signal) {
    return frameConnection(await Frames.open(address, context, wire, signal), {
      read: ({ register }) => framed(READ, register),
      write: ({ register }, value) => framed(WRITE, register, ...word(value)),
      value({ register }, answer) {
        const whole = sum(answer.subarray(0, -1)) === answer.at(-1) && answer[2] === register;
        if (whole && answer[1] === REFUSED) throw new Refused('BYTES_REFUSED', 'no such register');
        if (whole && answer.length === 6) return answer.readInt16BE(3);
        throw new Garbled('BYTES_ANSWER', `not the answer for register ${register}`);
      },
    });
  },
});

/** A pretend device: the same frames, from the other end. */
export const simulator = defineSimulator<unknown, { register: number }>({
  simulate({ properties }) {
    const held = new Map(properties.map((each) => [each.visitor.register, Number(each.value)]));
    const at = (name: string) => properties.find((p) => p.name === name)?.visitor.register ?? -1;
    const respond = ([, kind = 0, register = 0, high = 0, low = 0]: Buffer) => {
      const value = kind === WRITE ? Buffer.of(high, low).readInt16BE() : held.get(register);
      if (value === undefined || !held.has(register)) return framed(REFUSED, register);
      held.set(register, value);
      return framed(kind, register, ...word(value));
    };
    return {
      accept: (stream) => answerFrames(stream, wire, respond),
      get: (name) => held.get(at(name)) ?? null,
      set: (name, value) => void held.set(at(name), Number(value)),
      close: () => undefined,
    };
  },
});
