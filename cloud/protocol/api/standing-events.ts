/** Standing queries over Server-Sent Events. */
import type { IncomingMessage } from 'node:http';
import type { Clock } from '@limpet/dmi';
import type { Answer } from './answer.ts';
import { Parameters } from './parameters.ts';
import type { StandingAsked, StandingDoor, StandingReader } from './standing.ts';
import { eventText, HELLO_TEXT, QUERY_PATH } from './standing-text.ts';
import { ApiError, badRequest } from './status.ts';

/** Whether a request is for a standing query. @throws ApiError BadRequest */
export function isStanding(method: string | undefined, url: string): boolean {
  if (method !== 'GET' || !url.startsWith(`${QUERY_PATH}?`)) return false;
  return new Parameters(url.slice(QUERY_PATH.length + 1)).flag('watch');
}

/** What the request asks for. What a browser had last counts more than what the page knew when it began. @throws ApiError BadRequest */
export function standingAsked(
  url: string,
  headers: IncomingMessage['headers'] = {},
): StandingAsked {
  const parameters = new Parameters(url.split('?')[1] ?? '');
  parameters.only(['query', 'watch', 'cursor']);
  const query = parameters.text('query');
  if (query === undefined) {
    throw badRequest(
      'query parameter query: say what to watch, such as SELECT device FROM devices',
    );
  }
  const last = headers['last-event-id'];
  const cursor =
    (typeof last === 'string' && last !== '' ? last : undefined) ?? parameters.text('cursor');
  return { query, cursor };
}

export type { StandingDoor };

export interface EventsTo {
  readonly answer: Answer;
  readonly request: IncomingMessage;
  readonly clock: Pick<Clock, 'after'>;
  /** A reader that takes nothing for this long is cut off. */
  readonly stallMs: number;
}

/** Begins the answer, and resolves: what follows goes on by itself. @throws ApiError */
export async function answerStanding(door: StandingDoor | undefined, to: EventsTo): Promise<void> {
  if (door === undefined) {
    throw new ApiError('NotFound', 'queries stand at the cloud: watch there (--cloud URL)');
  }
  const { answer, request } = to;
  const { response } = answer;
  const reader = await door.stand(standingAsked(request.url ?? '', request.headers));
  if (response.destroyed) return reader.close();
  response.on('close', () => reader.close());
  // A dead peer is found by its stall, for something is said from time to time.
  response.socket?.setTimeout(0);
  answer.begin('text/event-stream');
  void feed(reader, to);
}

/** Never rejects. */
async function feed(reader: StandingReader, { answer, clock, stallMs }: EventsTo): Promise<void> {
  const { response } = answer;
  let text = HELLO_TEXT;
  for (;;) {
    const cancel = clock.after(stallMs, () => response.destroy());
    const taken = await answer.write(text);
    cancel();
    const events = taken ? await reader.next() : undefined;
    if (events === undefined) break;
    text = events.map((event) => eventText(event)).join('');
  }
  reader.close();
  response.end();
}
