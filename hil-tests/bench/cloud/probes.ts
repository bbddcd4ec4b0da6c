/**
 * Questions to the API at a steady pace while the load runs. Each counts from when it was due, so one slow answer does not
 * hide those that would have waited behind it.
 */
import { Agent, type IncomingMessage, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { Histogram } from './histogram.ts';

export interface Question {
  readonly name: string;
  readonly everyMs: number;
  readonly ask: () => Asked;
}

export interface Asked {
  readonly path: string;
  /** Sent by POST, as JSON. */
  readonly body?: unknown;
}

export interface Answers {
  readonly latency: Histogram;
  /** By status code, or by error code where no answer came. */
  readonly failed: Readonly<Record<string, number>>;
}

/** One client that keeps its connections, as browsers and kubectl do. */
export class Prober {
  readonly #origin: string;
  readonly #agent = new Agent({ keepAlive: true });

  constructor(origin: string) {
    this.#origin = origin;
  }

  /** The status code and the body, parsed when it is JSON. */
  async ask({ path, body }: Asked): Promise<{ readonly status: number; readonly text: string }> {
    const content = body === undefined ? undefined : JSON.stringify(body);
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const sent = request(
        new URL(path, this.#origin),
        {
          agent: this.#agent,
          method: content === undefined ? 'GET' : 'POST',
          headers: content === undefined ? {} : { 'content-type': 'application/json' },
          timeout: 60_000,
        },
        resolve,
      );
      sent.on('timeout', () => sent.destroy(new Error('no answer in time')));
      sent.on('error', reject);
      sent.end(content);
    });
    const chunks: Buffer[] = [];
    for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
    return { status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') };
  }

  /** Asks all questions, each at its own pace, for so long; resolves when the last answer is there. */
  async run(
    questions: readonly Question[],
    durationMs: number,
  ): Promise<ReadonlyMap<string, Answers>> {
    const all = questions.map(async (question) => {
      return [question.name, await this.#series(question, durationMs)] as const;
    });
    return new Map(await Promise.all(all));
  }

  close(): void {
    this.#agent.destroy();
  }

  async #series({ everyMs, ask }: Question, durationMs: number): Promise<Answers> {
    const latency = new Histogram();
    const failed: Record<string, number> = {};
    const asked: Promise<void>[] = [];
    const start = performance.now();
    for (let due = start; due < start + durationMs; due += everyMs) {
      await sleep(Math.max(0, due - performance.now()));
      asked.push(this.#once(ask(), due, { latency, failed }));
    }
    await Promise.all(asked);
    return { latency, failed };
  }

  async #once(
    asked: Asked,
    due: number,
    { latency, failed }: { latency: Histogram; failed: Record<string, number> },
  ): Promise<void> {
    let said: string;
    try {
      const { status } = await this.ask(asked);
      if (status === 200) return latency.add(performance.now() - due);
      said = String(status);
    } catch (error) {
      said = (error as NodeJS.ErrnoException).code ?? String(error);
    }
    failed[said] = (failed[said] ?? 0) + 1;
  }
}
