/** `limpet mapper dev`: the example of a mapper against its simulator, live, while it is written. */
import { createInterface, type Interface } from 'node:readline';
import process from 'node:process';
import { createLog } from '../../../runtime/kernel/log.ts';
import { systemClock } from '../../../runtime/kernel/clock.ts';
import { silentLog } from '@limpet/dmi/testing';
import { type Output, processOutput } from '../../output.ts';
import { aborted, stopSignal } from '../../stop.ts';
import { explain } from '../../cli-error.ts';
import type { DevOptions } from '../../verbs/mapper.ts';
import { findMapper } from '../authored.ts';
import { givenSettings } from '../settings.ts';
import { Bench } from './bench.ts';
import { parseTyped } from './commands.ts';
import { pictureJson, pictureLines } from './show.ts';
import { FileWatch } from './watch.ts';

const EVERY_MS = 500;
const MAX_NOTES = 10;
const LINGER_MS = 200;

export async function runDev(where: string | undefined, options: DevOptions): Promise<number> {
  const output = processOutput(options.json === true);
  const place = await findMapper(where);
  const log = options.verbose
    ? createLog({ out: process.stderr, clock: systemClock, level: 'debug' })
    : silentLog();
  const view = new View(output);
  const bench = new Bench({
    place,
    example: options.example,
    settings: givenSettings(options),
    everyMs: options.every ?? EVERY_MS,
    log,
    changed: () => view.draw(bench),
  });
  const stop = stopSignal();
  await bench.start();
  // One version at a time takes over, however fast they are saved.
  let last = Promise.resolve();
  const watch = new FileWatch((changed) => {
    last = last.then(() => replace(bench, changed, view, watch));
  });
  watch.follow(bench.files);
  view.listen(bench, () => stop.abort());
  await aborted(stop.signal);
  watch.close();
  await last;
  view.close();
  await bench.close();
  // A pretend device may go on with a timer of its own: that must not keep the process.
  setTimeout(() => process.exit(0), LINGER_MS).unref();
  return 0;
}

async function replace(
  bench: Bench,
  changed: readonly string[],
  view: View,
  watch: FileWatch,
): Promise<void> {
  const began = performance.now();
  try {
    const kept = await bench.replace(changed);
    view.note(
      { event: 'reloaded', ms: Math.round(performance.now() - began), kept },
      `reloaded: ${kept}`,
    );
  } catch (error) {
    const { code, message } = explain(error);
    view.note({ event: 'broken', code, message }, `${message}\nthe version before goes on`);
  }
  watch.follow(bench.files);
}

/** The terminal, or lines of JSON. */
class View {
  readonly #output: Output;
  /** Opened once there is somebody to hear it: what was typed before must not be lost. */
  #lines: Interface | undefined;
  #notes: string[] = [];
  #first = true;
  #said = '';

  constructor(output: Output) {
    this.#output = output;
  }

  /** What is typed. Its end ends nothing: a program may have none to type. */
  listen(bench: Bench, quit: () => void): void {
    this.#lines = createInterface({
      input: process.stdin,
      ...(this.#output.terminal && { output: process.stdout, prompt: '> ' }),
    });
    this.#lines.on('SIGINT', quit);
    this.#lines.on('line', (line) => {
      if (parseTyped(line).kind === 'quit') return quit();
      void bench.type(line).then((said) => {
        if (said !== '') this.note({ event: 'typed', line, said }, said);
        this.draw(bench);
      });
    });
  }

  note(json: { readonly [key: string]: string | number }, text: string): void {
    if (this.#output.json) this.#output.printJson(json);
    else if (!this.#output.terminal) this.#output.print(text);
    // What is seen after it is said again, also where it is what it was.
    this.#said = '';
    this.#notes = [...this.#notes, ...text.split('\n')].slice(-MAX_NOTES);
  }

  draw(bench: Bench): void {
    const { session, properties } = bench;
    if (session === undefined) return;
    const { state, answers } = session;
    if (this.#first && answers.some((each) => each !== undefined)) {
      this.#first = false;
      const ms = Math.round(performance.now());
      this.note(
        { event: 'first', ms },
        `first value ${ms} ms after the start; type help for what can be done`,
      );
    }
    if (this.#output.json)
      return this.#changed(JSON.stringify(pictureJson({ state, properties, answers })));
    const title = `${bench.device} ${bench.simulated ? '(simulated)' : '(real)'}`;
    const columns = process.stdout.columns || 100;
    const notes = this.#output.terminal ? this.#notes : [];
    const look = { colour: this.#output.colour, columns };
    const lines = pictureLines({ title, state, properties, answers, notes }, look);
    this.#changed(lines.join('\n'));
  }

  close(): void {
    this.#lines?.close();
  }

  #changed(picture: string): void {
    if (picture === this.#said) return;
    this.#said = picture;
    if (!this.#output.terminal) return this.#output.print(picture);
    // From the top, and below it the line that is being typed.
    process.stdout.write(`\u001b[H${picture.replaceAll('\n', '\u001b[K\n')}\u001b[K\n\u001b[J`);
    this.#lines?.prompt(true);
  }
}
