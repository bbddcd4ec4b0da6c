/** A real browser without a screen: Chromium, spoken to by its DevTools protocol. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';

const STARTS_MS = 30_000;
const LOOK_MS = 50;

interface Answer {
  readonly id?: number;
  readonly result?: { readonly result?: { readonly value?: unknown }; readonly data?: string };
  readonly error?: { readonly message: string };
}

/** One page in a browser of its own. */
export class Browser {
  readonly #child: ChildProcess;
  readonly #socket: WebSocket;
  readonly #folder: string;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #last = 0;

  static async open(url: string): Promise<Browser> {
    const folder = mkdtempSync(join(tmpdir(), 'limpet-browser-'));
    const child = spawn(
      'chromium',
      [
        '--headless=new',
        '--no-sandbox',
        '--disable-gpu',
        '--disable-dev-shm-usage',
        '--no-first-run',
        '--window-size=1280,800',
        '--remote-debugging-port=0',
        `--user-data-dir=${folder}`,
        url,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    const port = await devToolsPort(child);
    const socket = new WebSocket(await pageOf(port));
    await once(socket, 'open');
    return new Browser(child, socket, folder);
  }

  private constructor(child: ChildProcess, socket: WebSocket, folder: string) {
    this.#child = child;
    this.#socket = socket;
    this.#folder = folder;
    socket.on('message', (data: Buffer) => {
      const answer = JSON.parse(data.toString()) as Answer;
      if (answer.id !== undefined) this.#waiting.get(answer.id)?.(answer);
    });
  }

  /** What an expression is on the page; it must be JSON. */
  async evaluate<T>(expression: string): Promise<T> {
    const answer = await this.#say('Runtime.evaluate', { expression, returnByValue: true });
    return answer.result?.result?.value as T;
  }

  /** Waits until the expression is true there. */
  async until(expression: string, ms = 10_000): Promise<void> {
    const end = Date.now() + ms;
    while (!(await this.evaluate<boolean>(`!!(${expression})`))) {
      if (Date.now() > end) {
        const text = await this.evaluate<string>('document.body.innerText');
        throw new Error(`never true on the page: ${expression}; it shows:\n${text}`);
      }
      await sleep(LOOK_MS);
    }
  }

  /** PNG. */
  async picture(): Promise<Buffer> {
    const answer = await this.#say('Page.captureScreenshot', { format: 'png' });
    return Buffer.from(answer.result?.data ?? '', 'base64');
  }

  async close(): Promise<void> {
    this.#socket.terminate();
    if (this.#child.exitCode === null) {
      this.#child.kill('SIGKILL');
      await once(this.#child, 'exit');
    }
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }

  #say(method: string, params: object): Promise<Answer> {
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, (answer) => {
        this.#waiting.delete(id);
        if (answer.error) reject(new Error(`${method}: ${answer.error.message}`));
        else resolve(answer);
      });
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
  }
}

async function devToolsPort(child: ChildProcess): Promise<string> {
  if (!child.stderr) throw new Error('chromium has no stderr');
  const lines = createInterface({ input: child.stderr });
  const signal = AbortSignal.timeout(STARTS_MS);
  signal.addEventListener('abort', () => lines.close());
  for await (const line of lines) {
    const port = /DevTools listening on ws:\/\/127\.0\.0\.1:(\d+)/.exec(line)?.[1];
    if (port === undefined) continue;
    child.stderr.resume();
    return port;
  }
  throw new Error('chromium does not start');
}

async function pageOf(port: string): Promise<string> {
  for (;;) {
    const targets = (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as {
      type: string;
      webSocketDebuggerUrl: string;
    }[];
    const page = targets.find(({ type }) => type === 'page');
    if (page) return page.webSocketDebuggerUrl;
    await sleep(LOOK_MS);
  }
}
