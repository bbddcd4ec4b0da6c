/** Events of standing queries as the text of Server-Sent Events. Pure, for both ends. */
import { GROUP_VERSION } from './kinds.ts';
import type { StandingEvent } from './standing.ts';

export const QUERY_PATH = `/apis/${GROUP_VERSION}/query`;

/** What comes first. How long a browser waits before it comes back, and after an error that it would meet again. */
export const HELLO_TEXT = 'retry: 1000\n\n';
const RETRY_ERROR_MS = 30_000;

/** Beyond any event: whoever sends this is not our API. */
const MOST_CHARACTERS = 16 * 1024 * 1024;

/** As in the standard: the id comes back as Last-Event-ID. */
export function eventText(event: StandingEvent): string {
  if (event.type === 'error') {
    return `retry: ${RETRY_ERROR_MS}\nevent: error\ndata: ${JSON.stringify(event.status)}\n\n`;
  }
  const { type, cursor, ...content } = event;
  return `id: ${cursor}\nevent: ${type}\ndata: ${JSON.stringify(content)}\n\n`;
}

/** What such a text says; undefined: nothing. @throws SyntaxError when it is none of ours */
function eventIn(text: string): StandingEvent | undefined {
  const fields = new Map(
    text.split('\n').map((line) => {
      const mark = line.indexOf(': ');
      return [line.slice(0, mark), line.slice(mark + 2)] as const;
    }),
  );
  const type = fields.get('event');
  const content = fields.get('data');
  if (type === undefined || content === undefined) return undefined;
  const said = JSON.parse(content) as object;
  if (type === 'error') return { type, status: said } as StandingEvent;
  return { type, cursor: fields.get('id') ?? '', ...said } as StandingEvent;
}

/** Events as they arrive. @throws SyntaxError, RangeError on an endless one */
export async function* eventsIn(
  chunks: AsyncIterable<Buffer>,
): AsyncGenerator<StandingEvent, void, void> {
  const decoder = new TextDecoder();
  let held = '';
  for await (const chunk of chunks) {
    held += decoder.decode(chunk, { stream: true });
    const texts = held.split('\n\n');
    held = texts.pop() ?? '';
    for (const text of texts) {
      const event = eventIn(text);
      if (event !== undefined) yield event;
    }
    if (held.length > MOST_CHARACTERS) {
      throw new RangeError(`an event beyond ${MOST_CHARACTERS} characters`);
    }
  }
}
