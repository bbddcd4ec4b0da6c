/** A connection whose visitors say what to ask: all that many mappers for lines need. */
import { Garbled, Misconfigured, Refused } from '../errors.ts';
import type { Connection, Reading } from '../mapper.ts';
import type { Value } from '../value.ts';
import { quoted } from '../wire/dial.ts';
import type { Line } from './line.ts';
import { filled } from '../wire/template.ts';
import { decodeLine, encodeLine, type LineVisitor } from './visitor.ts';

/**
 * Reads with `ask`, each line once a batch however many visitors share it, and writes with `set`, reading back what the
 * device made of it.
 */
export function lineConnection(line: Line): Connection<LineVisitor> {
  const { separator, ack } = line.wire;
  /** What does not fit is the trouble of one property; but it may also be the answer to something else. */
  const heard = (visitor: LineVisitor, answer: string): Reading => {
    try {
      return { ok: true, value: decodeLine(visitor, answer, separator) };
    } catch (error) {
      if (!(error instanceof Garbled)) throw error;
      line.mistrust();
      return refused(error);
    }
  };
  return {
    async read(visitors, signal) {
      const answers = new Map<string, string | Refused>();
      const readings: Reading[] = [];
      for (const visitor of visitors) {
        const answer = answers.get(visitor.ask) ?? (await asked(line, visitor.ask, signal));
        answers.set(visitor.ask, answer);
        readings.push(typeof answer === 'string' ? heard(visitor, answer) : refused(answer));
      }
      return readings;
    },
    async write(visitor, value, signal) {
      const { set, ask } = visitor;
      if (set === undefined) {
        throw new Misconfigured('LINE_READ_ONLY', 'its visitor has no line that sets it: add set');
      }
      const text = filled(set, encodeLine(visitor, value));
      if (ack === undefined) return tellAndAsk(line, visitor, text, signal);
      const answer = await line.ask(text, signal, set);
      if (answer !== ack) {
        const wanted = `expected ${quoted(ack)} for ${quoted(set)}`;
        throw new Garbled('LINE_ANSWER', `${wanted}, the device answered ${quoted(answer)}`);
      }
      return decodeLine(visitor, await line.ask(ask, signal), separator);
    },
    close: () => line.close(),
  };
}

/** A device that answers such a line only to refuse it says so where the answer to the question is expected. */
async function tellAndAsk(
  line: Line,
  visitor: LineVisitor,
  text: string,
  signal: AbortSignal,
): Promise<Value> {
  const { set = '', ask } = visitor;
  await line.tell(text, signal);
  try {
    const answer = await line.ask(ask, signal, `${set}, then ${ask}`);
    return decodeLine(visitor, answer, line.wire.separator);
  } catch (error) {
    // The question is still answered: that must not count for the next one.
    if (error instanceof Refused) line.mistrust();
    throw error;
  }
}

function refused(error: Refused | Garbled): Reading {
  return { ok: false, error };
}

async function asked(line: Line, text: string, signal: AbortSignal): Promise<string | Refused> {
  try {
    return await line.ask(text, signal);
  } catch (error) {
    if (error instanceof Refused) return error;
    throw error;
  }
}
