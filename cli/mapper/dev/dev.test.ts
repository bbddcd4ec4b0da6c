import { create } from 'create-limpet-mapper';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { answerLines } from '@limpet/dmi/line';
import { runLimpet, temporaryFolder } from '../../testing/run-limpet.ts';
import { parseTyped } from './commands.ts';

const LIMPET = path.join(import.meta.dirname, '../../limpet.mjs');
/** A machine under load is slow; without load it takes 0.6 s, as its own line says. */
const FIRST_VALUE_MS = 10_000;

type Told = { event: string; [field: string]: unknown };

/** `limpet mapper dev --json`, heard line by line. */
class Dev {
  readonly #child;
  readonly #told: Told[] = [];
  #wake = Promise.withResolvers<void>();

  constructor(t: TestContext, folder: string, args: readonly string[] = []) {
    const flags = [LIMPET, 'mapper', 'dev', folder, '--json', '--every', '50', ...args];
    this.#child = spawn(process.execPath, flags, { stdio: ['pipe', 'pipe', 'inherit'] });
    t.after(() => this.#child.kill('SIGKILL'));
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      this.#told.push(JSON.parse(line) as Told);
      this.#wake.resolve();
      this.#wake = Promise.withResolvers();
    });
  }

  type(line: string): void {
    this.#child.stdin.write(`${line}\n`);
  }

  /** The next that fits; those before it are forgotten. */
  async until(what: string, fits: (told: Told) => boolean): Promise<Told> {
    const late = AbortSignal.timeout(20_000);
    for (;;) {
      for (let told = this.#told.shift(); told !== undefined; told = this.#told.shift()) {
        if (fits(told)) return told;
      }
      if (late.aborted) throw new Error(`not within 20 s: ${what}`);
      await Promise.race([this.#wake.promise, once(late, 'abort')]);
    }
  }

  async values(fits: (values: Record<string, unknown>, told: Told) => boolean): Promise<Told> {
    return this.until(`values that fit ${String(fits)}`, (told) => {
      return told.event === 'values' && fits(told['values'] as Record<string, unknown>, told);
    });
  }

  async quit(): Promise<number | null> {
    const closed = once(this.#child, 'close') as Promise<[number | null]>;
    this.type('quit');
    const [code] = await closed;
    return code;
  }
}

function made(t: TestContext): string {
  return create({ name: 'supply', folder: path.join(temporaryFolder(t), 'supply') }).folder;
}

test('a folder with nothing installed is live, can be written and harmed, and reloads with what it holds', async (t) => {
  const folder = made(t);
  const source = path.join(folder, 'supply.ts');
  const dev = new Dev(t, folder);
  const first = await dev.until('the first value', ({ event }) => event === 'first');
  assert.ok(Number(first['ms']) < FIRST_VALUE_MS, `${String(first['ms'])} ms`);
  t.diagnostic(`first value after ${String(first['ms'])} ms`);
  await dev.values(({ voltage }) => voltage === 20);
  dev.type('setpoint=12.5');
  await dev.until('the write', ({ said }) => said === 'written: setpoint is 12.5');
  const next = await dev.values(() => true);
  assert.equal((next['values'] as Told)['setpoint'], 12.5, 'not what it was before');
  dev.type('device voltage=11.5');
  await dev.values(({ voltage }) => voltage === 11.5);
  dev.type('cut');
  await dev.values((_, { state }) => state === 'lost');
  await dev.values(({ voltage }, { state }) => state === 'connected' && voltage === 11.5);
  dev.type('refuse current');
  await dev.values((_, { state, bad }) => {
    assert.notEqual(state, 'lost', 'nobody cut anything');
    return (bad as Told)['current'] !== undefined;
  });
  dev.type('heal');
  await dev.values(({ current }, { state, bad }) => {
    assert.notEqual(state, 'lost', 'nobody cut anything');
    return state === 'connected' && current === 20 && Object.keys(bad as object).length === 0;
  });

  writeFileSync(source, readFileSync(source, 'utf8').replace("end: '\\n'", "end: '\\r\\n'"));
  const reloaded = await dev.until('the reload', ({ event }) => event === 'reloaded');
  assert.equal(reloaded['kept'], 'what the device holds kept');
  await dev.values(({ voltage, setpoint }) => voltage === 11.5 && setpoint === 12.5);

  const good = readFileSync(source, 'utf8');
  writeFileSync(source, good.replace('export default', 'export defauld'));
  const broken = await dev.until('the fault', ({ event }) => event === 'broken');
  assert.match(String(broken['message']), /supply\.ts/);
  dev.type('setpoint=3');
  await dev.values(({ setpoint }) => setpoint === 3);
  writeFileSync(source, good);
  await dev.until('the mended reload', ({ event }) => event === 'reloaded');

  writeFileSync(
    source,
    good.replace('lineSimulator(wire)', "{ simulate: () => { throw new Error('no device') } }"),
  );
  const lame = await dev.until('the fault of the simulator', ({ event }) => event === 'broken');
  assert.match(String(lame['message']), /no device/);
  dev.type('setpoint=4');
  await dev.values(({ setpoint }) => setpoint === 4);
  dev.type('setpoint=77');
  const refused = await dev.until('the limit', ({ event }) => event === 'typed');
  assert.match(String(refused['said']), /30/);
  assert.equal(await dev.quit(), 0);
});

test('with settings it is the real device, whose stream outlives the code', async (t) => {
  const folder = made(t);
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    answerLines(socket, {}, (line) => (line === 'OUTP?' ? '1' : '4.5'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  const dev = new Dev(t, folder, ['--set', `address=tcp://127.0.0.1:${port}`]);
  await dev.values(({ voltage }) => voltage === 4.5);
  const example = path.join(folder, 'example.yaml');
  writeFileSync(example, readFileSync(example, 'utf8').replace('name: voltage', 'name: volts'));
  const reloaded = await dev.until('the reload', ({ event }) => event === 'reloaded');
  assert.equal(reloaded['kept'], '1 open stream kept');
  await dev.values(({ volts }) => volts === 4.5);
  assert.equal(connections, 1);
  dev.type('device volts=1');
  const said = await dev.until('the answer', ({ event }) => event === 'typed');
  assert.match(String(said['said']), /real device/);
  assert.equal(await dev.quit(), 0);
});

test('what cannot run is said in one line, with what to do', async (t) => {
  const empty = temporaryFolder(t);
  const none = await runLimpet(['mapper', 'dev', empty]);
  assert.equal(none.code, 1);
  assert.match(none.err, /holds no mapper.*limpet mapper new/s);
  const folder = made(t);
  writeFileSync(path.join(folder, 'example.yaml'), 'kind: Nothing\n');
  const wrong = await runLimpet(['mapper', 'dev', folder, '--json']);
  assert.equal(wrong.code, 1);
  assert.equal(
    (JSON.parse(wrong.err) as { error: { code: string } }).error.code,
    'EXAMPLE_INVALID',
  );
});

test('what is typed means what it says', () => {
  assert.deepEqual(parseTyped(' setpoint = 12 '), { kind: 'write', name: 'setpoint', text: '12' });
  assert.deepEqual(parseTyped('device a=b=c'), { kind: 'device', name: 'a', text: 'b=c' });
  assert.deepEqual(parseTyped('refuse a'), { kind: 'refuse', name: 'a' });
  assert.deepEqual(parseTyped('CUT'), { kind: 'cut' });
  assert.deepEqual(parseTyped(''), { kind: 'nothing' });
  assert.deepEqual(parseTyped('refuse'), { kind: 'unknown', text: 'refuse' });
});

test('the pretend device is called as the mapper is told that it is', async (t) => {
  const mqtt = path.join(import.meta.dirname, '../../../mappers/mqtt');
  const example = path.join(temporaryFolder(t), 'example.yaml');
  const text = readFileSync(path.join(mqtt, 'example.yaml'), 'utf8');
  writeFileSync(example, text.replace('topic: heating/hall-1', "topic: 'heating/{name}'"));
  const dev = new Dev(t, mqtt, ['--example', example]);
  await dev.values(({ temperature }) => temperature === 20);
  await dev.quit();
});
