/**
 * A mapper that runs in a process of its own, as the runtime sees it. Settings and visitors stay what the manifest
 * says (the process reads them again when it connects), so the core holds nothing of theirs twice.
 */
import { Garbled, type Mapper, Misconfigured, type PropertyShape, type Schema } from '@limpet/dmi';
import { checkedOf, type Ready } from './checks.ts';
import { isTooLarge, type Link } from './link.ts';
import { type Check, type Checked } from './messages.ts';
import { unpackError } from './packed.ts';
import { RemoteConnection } from './remote-connection.ts';

export function remoteMapper(protocol: string, has: Ready, link: Link): Mapper<unknown, unknown> {
  const checks = new Checks(link);
  let connections = 0;
  return {
    protocol,
    settings: schema(checks, 'settings'),
    visitor: schema(checks, 'visitor'),
    ...(has.fits && {
      fits: (value: unknown, shape: PropertyShape) => checks.text({ part: 'fits', value, shape }),
    }),
    ...(has.port && { port: (value: unknown) => checks.text({ part: 'port', value }) }),
    connect: (settings, { device }, signal) =>
      RemoteConnection.open(link, { connection: ++connections, device, settings }, signal),
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

const AT_A_TIME = 250;

/** Checks that are wanted at the same time go out together. */
class Checks {
  readonly #link: Link;
  #waiting: Waiting[] = [];

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
    const waiting = this.#waiting;
    this.#waiting = [];
    for (let from = 0; from < waiting.length; from += AT_A_TIME) {
      void this.#send(waiting.slice(from, from + AT_A_TIME));
    }
  }

  async #send(waiting: readonly Waiting[]): Promise<void> {
    const { calls, management } = this.#link;
    const items = waiting.map(({ check }) => check);
    try {
      const answers = await calls.ask(
        management,
        { t: 'check', items },
        { take: (answer) => checkedOf(answer, items.length) },
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
