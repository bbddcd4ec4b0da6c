/** A pretend supply: unknown queries stay unanswered, and what it refuses stands in the error queue. */
import { defineSimulator } from '@limpet/dmi';
import { answerLines, type LineVisitor } from '@limpet/dmi/line';

/** What the hardware can do. */
const ceiling: Record<string, number> = { VOLT: 60, CURR: 10 };

export const simulator = defineSimulator<unknown, LineVisitor>({
  simulate({ properties }) {
    const values = new Map(properties.map(({ visitor, value }) => [visitor.ask, value]));
    const asks = new Map(properties.map(({ name, visitor }) => [name, visitor.ask]));
    const errors: string[] = [];
    const tell = (header: string, argument: string): string | undefined => {
      const held = values.get(`${header}?`);
      if (held === undefined) return '-113,"Undefined header"';
      if (Number(argument) > (ceiling[header] ?? 1)) return '-222,"Data out of range"';
      values.set(`${header}?`, typeof held === 'boolean' ? argument === '1' : Number(argument));
      return undefined;
    };
    return {
      accept(wire) {
        answerLines(wire, { end: '\n' }, (text) => {
          const [header = '', argument = ''] = text.split(' ');
          if (header === 'SYST:ERR?') return errors.shift() ?? '0,"No error"';
          const held = values.get(header);
          if (held !== undefined) return typeof held === 'string' ? held : String(Number(held));
          const error = header.endsWith('?') ? '-113,"Undefined header"' : tell(header, argument);
          if (error && errors.length < 20) errors.push(error);
          return undefined;
        });
      },
      get: (name) => values.get(asks.get(name) ?? '') ?? null,
      set: (name, value) => void values.set(asks.get(name) ?? '', value),
      close() {},
    };
  },
});
