/**
 * A mapper that runs in a process of its own, as the runtime sees it. Settings and visitors stay what the manifest
 * says (the process reads them again when it connects), so the core holds nothing of theirs twice.
 */
import {
  type Away,
  Garbled,
  type MapperContext,
  type MethodShape,
  Misconfigured,
  type PropertyShape,
  type Schema,
  Unreachable,
} from '@limpet/dmi';
import { within } from '../../device/ceiling.ts';
import { type TappedMapper } from '../../device/taps.ts';
import { checkedOf, type Ready } from './checks.ts';
import { isTooLarge, type Link } from './link.ts';
import { type Check, type Checked } from './messages.ts';
import { unpackError } from './packed.ts';
import { pageOf } from './page.ts';
import { RemoteConnection } from './remote-connection.ts';

/** Devices that are away and wait to be heard of, of the asks that may be under way; others are tried by backoff alone. */
const MAX_WAITING = 1_000;

export function remoteMapper(protocol: string, has: Ready, link: Link): TappedMapper {
  const checks = new Checks(link);
  let connections = 0;
  let waiting = 0;
  return {
    protocol,
    settings: schema(checks, 'settings'),
    visitor: schema(checks, 'visitor'),
    ...(has.fits && {
      fits: (value: unknown, shape: PropertyShape) => checks.text({ part: 'fits', value, shape }),
    }),
    ...(has.serves && {
      serves: (value: unknown, shape: MethodShape) => checks.text({ part: 'serves', value, shape }),
    }),
    ...(has.port && { port: (value: unknown) => checks.text({ part: 'port', value }) }),
    ...(has.back && {
      back: async (away: Away<unknown>, { device }: MapperContext, signal: AbortSignal) => {
        if (waiting >= MAX_WAITING) throw new Unreachable('MAPPER_BUSY', 'too many devices wait');
        waiting += 1;
        const ask = { t: 'back', device, ...away } as const;
        try {
          await link.calls.ask(link.management, ask, { take: () => undefined, signal });
        } finally {
          waiting -= 1;
        }
      },
    }),
    connect: (settings, { device }, signal) =>
      RemoteConnection.open(link, { connection: ++connections, device, settings }, signal),
    tap: (device, capture, signal) =>
      link.calls.ask(link.management, { t: 'tap', device, capture }, { take: pageOf, signal }),
  };
}

function schema(checks: Checks, part: 'settings' | 'visitor'): Schema<unknown> {
  return {
    '~standard': {
      version: 1,
      vendor: 'limpet',
      validate: async (value) => {
        const issues = await checks.ask({ part, value });
        return Array.isArray(issues) ? { issues } : { value };
      },
    },
  };
}

interface Waiting {
  readonly check: Check;
  readonly resolve: (checked: Checked) => void;
  readonly reject: (error: unknown) => void;
}

const UNENDING = new AbortController().signal;
const AT_A_TIME = 250;
/** Messages of so many checks each: the models of a node that come all at once wait here, not in the pipe. */
const UNDER_WAY = 4;
/** Well above what looking at manifests takes; a mapper may wait for something that never comes. */
const CHECK_MS = 20_000;

/** Checks that are wanted at the same time go out together. */
class Checks {
  readonly #link: Link;
  readonly #waiting: Waiting[] = [];
  #under = 0;

  constructor(link: Link) {
    this.#link = link;
  }

  async text(check: Check): Promise<string | undefined> {
    const answer = await this.ask(check);
    if (answer === null) return undefined;
    if (typeof answer === 'string') return answer;
    throw new Garbled('MAPPER_PROTOCOL', `the mapper answered "${check.part}" with a list`);
  }

  async ask(check: Check): Promise<Checked> {
    const answer = await new Promise<Checked>((resolve, reject) => {
      this.#waiting.push({ check, resolve, reject });
      if (this.#waiting.length === 1) setImmediate(() => this.#flush());
    });
    if (typeof answer === 'object' && answer !== null && 'e' in answer) throw unpackError(answer.e);
    return answer;
  }

  #flush(): void {
    while (this.#waiting.length > 0 && this.#under < UNDER_WAY) {
      this.#under += 1;
      void this.#send(this.#waiting.splice(0, AT_A_TIME)).then(() => {
        this.#under -= 1;
        this.#flush();
      });
    }
  }

  /** Never rejects. */
  async #send(waiting: readonly Waiting[]): Promise<void> {
    const { calls, management, clock } = this.#link;
    const items = waiting.map(({ check }) => check);
    const take = (answer: unknown): Checked[] => checkedOf(answer, items.length);
    const ceiling = { clock, ms: CHECK_MS, what: 'a check of manifests', signal: UNENDING };
    try {
      const answers = await within(ceiling, (signal) =>
        calls.ask(management, { t: 'check', items }, { take, signal }),
      );
      for (const [at, { resolve }] of waiting.entries()) resolve(answers[at] as Checked);
    } catch (error) {
      if (isTooLarge(error) && waiting.length > 1) {
        const half = waiting.length >> 1;
        await Promise.all([this.#send(waiting.slice(0, half)), this.#send(waiting.slice(half))]);
      } else for (const { reject } of waiting) reject(inWords(error));
    }
  }
}

function inWords(error: unknown): unknown {
  if (!isTooLarge(error)) return error;
  const message =
    'these settings or this visitor are too large for a mapper in a process of its own';
  return new Misconfigured('MAPPER_INPUT_LARGE', message, { cause: error });
}
