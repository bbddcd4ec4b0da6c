/** A pretend receiver: five times a second a sentence of each kind. */
import { defineSimulator } from '@limpet/dmi';
import { checksum } from './sentence.ts';

export const simulator = defineSimulator<unknown, { sentence: string; field: number }>({
  simulate({ properties }, { clock }) {
    const values = new Map(properties.map(({ name, value }) => [name, value]));
    const kinds = new Set(properties.map(({ visitor }) => visitor.sentence));
    const stops = new Set<() => void>();
    const sentence = (kind: string) => {
      const fields = [`GP${kind}`, ...Array.from({ length: 14 }, () => '')];
      for (const { name, visitor } of properties)
        if (visitor.sentence === kind) fields[visitor.field] = String(Number(values.get(name)));
      const body = fields.join(',');
      return `$${body}*${checksum(body)}\r\n`;
    };
    return {
      accept(wire) {
        let stop = () => {};
        const tell = () => {
          stops.delete(stop);
          if (wire.destroyed) return;
          for (const kind of kinds) wire.write(sentence(kind));
          stop = clock.after(200, tell);
          stops.add(stop);
        };
        wire.on('error', () => {}).resume();
        wire.on('end', () => wire.end());
        wire.on('close', () => {
          stop();
          stops.delete(stop);
        });
        tell();
      },
      get: (name) => values.get(name) ?? null,
      set: (name, value) => void values.set(name, value),
      close() {
        for (const stop of stops) stop();
      },
    };
  },
});
