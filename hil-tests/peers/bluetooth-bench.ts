/** What the Bluetooth peer's tests share: virtual controllers and an air between them, devices on it, and an H4 line that harms what it carries. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { type Duplex, duplexPair } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { H4Parser } from '../../mappers/bluetooth/radio/h4.ts';
import { openPseudoTerminal, type PseudoTerminal } from '../plant/pseudo-terminal.ts';

/** Where btvirt serves a new LE controller to each that connects; the path is its own. */
const AIR = '/tmp/bt-server-le';
const START_MS = 10_000;

/** An air with virtual controllers. One at a time on a machine. */
export class Air {
  readonly #btvirt: ChildProcess;
  readonly #folder: string;
  readonly #devices: Peripheral[] = [];

  private constructor(btvirt: ChildProcess, folder: string) {
    this.#btvirt = btvirt;
    this.#folder = folder;
  }

  static async start(): Promise<Air> {
    const found = spawnSync('btvirt', ['--help']).error === undefined;
    assert.ok(
      found,
      'install the Debian package bluez-test-tools (all: hil-tests/peers/packages.txt)',
    );
    const folder = mkdtempSync(path.join(tmpdir(), 'limpet-air-'));
    const shim = path.join(folder, 'shim.so');
    const source = path.join(import.meta.dirname, 'ecb-aes-shim.c');
    const compiled = spawnSync('gcc', ['-O2', '-shared', '-fPIC', '-o', shim, source, '-ldl']);
    assert.equal(compiled.status, 0, String(compiled.stderr));
    rmSync(AIR, { force: true });
    const btvirt = spawn('btvirt', ['-s'], {
      env: { ...process.env, LD_PRELOAD: shim },
      stdio: 'ignore',
    });
    for (let left = START_MS; !existsSync(AIR); left -= 20) {
      assert.ok(left > 0, 'btvirt serves no controllers');
      await delay(20);
    }
    return new Air(btvirt, folder);
  }

  /** A new controller, as a stream of H4. */
  async controller(): Promise<Socket> {
    const socket = connect(AIR);
    await once(socket, 'connect');
    return socket;
  }

  /** A new controller on a line that a program can open, with a tap. */
  async line(): Promise<Line> {
    const terminal = await openPseudoTerminal();
    assert.ok(terminal, 'this machine gives no pseudo-terminals');
    const tap = new Tap(await this.controller());
    join(terminal, tap);
    return {
      path: terminal.path,
      tap,
      close: () => {
        tap.cut();
        terminal.close();
      },
    };
  }

  async peripheral(name: string): Promise<Peripheral> {
    const line = await this.line();
    const device = await Peripheral.start(line, name);
    this.#devices.push(device);
    return device;
  }

  async stop(): Promise<void> {
    for (const device of this.#devices) device.stop();
    const gone = this.#btvirt.exitCode !== null || this.#btvirt.signalCode !== null;
    if (!gone) {
      this.#btvirt.kill('SIGKILL');
      await once(this.#btvirt, 'exit');
    }
    rmSync(this.#folder, { recursive: true, force: true });
    rmSync(AIR, { force: true });
  }
}

/** What a program opens by its path. */
export interface Line {
  readonly path: string;
  readonly tap: Tap;
  close(): void;
}

function join({ stream }: PseudoTerminal, { wire }: Tap): void {
  stream.on('data', (chunk) => wire.write(chunk as Buffer));
  wire.on('data', (chunk) => stream.write(chunk as Buffer));
  stream.on('error', () => wire.destroy());
  wire.on('error', () => stream.destroy());
}

/** A device of bleno's, in a process of its own. */
export class Peripheral {
  readonly #child: ChildProcess;
  readonly #line: { close(): void };
  readonly #told: string[] = [];
  #woken: () => void = () => undefined;

  private constructor(child: ChildProcess, line: { close(): void }) {
    this.#child = child;
    this.#line = line;
    assert.ok(child.stdout);
    createInterface({ input: child.stdout }).on('line', (text) => {
      this.#told.push(text);
      this.#woken();
    });
  }

  address = '';

  static async start(
    line: { readonly path: string; close(): void },
    name: string,
  ): Promise<Peripheral> {
    const program = path.join(import.meta.dirname, 'bluetooth-peripheral.ts');
    const child = spawn(process.execPath, [program, line.path, name], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const device = new Peripheral(child, line);
    device.address = (await device.tells('ready')).split(' ')[1] ?? '';
    return device;
  }

  say(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** Waits for a line that begins so, and forgets it and all before. */
  async tells(begin: string, patienceMs = START_MS): Promise<string> {
    const end = performance.now() + patienceMs;
    for (;;) {
      const at = this.#told.findIndex((line) => line.startsWith(begin));
      if (at !== -1) return this.#told.splice(0, at + 1).at(-1) ?? '';
      const left = end - performance.now();
      assert.ok(left > 0, `the device told nothing of "${begin}", but: ${this.#told.join('; ')}`);
      await Promise.race([
        new Promise<void>((woken) => (this.#woken = woken)),
        delay(Math.min(left, 200)),
      ]);
    }
  }

  forget(): void {
    this.#told.length = 0;
  }

  stop(): void {
    this.#child.kill('SIGKILL');
    this.#line.close();
  }
}

/** What becomes of a packet of the controller: `undefined` swallows it. */
export type Harm = (packet: Buffer) => Buffer | undefined;

/** The line between the mapper and its controller, which harms what it carries. */
export class Tap {
  /** For the mapper. */
  readonly wire: Duplex;
  readonly #far: Duplex;
  readonly #controller: Socket;
  /** Of links, as the controller knows them. */
  readonly #handles = new Set<number>();
  /** What is advertised, by address and kind: btvirt tells it once, where a real device repeats it. */
  readonly #advertised = new Map<string, Buffer>();
  /** What happens to what the controller says. */
  harm: Harm = (packet) => packet;

  constructor(controller: Socket) {
    const [near, far] = duplexPair();
    this.wire = near;
    this.#far = far;
    this.#controller = controller;
    const parser = new H4Parser();
    controller.on('data', (chunk) => {
      for (const packet of parser.take(chunk)) this.#carry(packet);
    });
    far.on('data', (chunk: Buffer) => controller.write(chunk));
    far.on('end', () => far.end());
    far.on('close', () => void this.#release());
    far.on('error', () => far.destroy());
    controller.on('error', () => far.destroy());
    const repeating = setInterval(() => this.#repeat(), REPEAT_MS);
    far.on('close', () => clearInterval(repeating));
  }

  /** Ends its links behind the mapper's back; the mapper hears that they end with this status. */
  drop(status: number): void {
    this.harm = (packet) => {
      if (packet[1] === COMMAND_STATUS) return undefined;
      if (isEnd(packet)) packet[6] = status;
      return packet;
    };
    for (const handle of this.#handles) this.disconnect(handle);
  }

  /** Lets the mapper hear an advertisement of somebody who is not there. */
  advertise(address: string, structures: string): void {
    const bytes = Buffer.from(structures, 'hex');
    const peer = Buffer.from(address.replaceAll(':', ''), 'hex').reverse();
    // One report, not connectable, of a random address, at -70 dBm.
    const report = Buffer.concat([
      Buffer.from([1, 3, 1]),
      peer,
      Buffer.from([bytes.length]),
      bytes,
    ]);
    const event = Buffer.concat([Buffer.from([0x02]), report, Buffer.from([0xba])]);
    this.#far.write(Buffer.concat([Buffer.from([0x04, 0x3e, event.length]), event]));
  }

  /** Tells the controller to end this link. */
  disconnect(handle: number): void {
    this.#controller.write(Buffer.from([0x01, 0x06, 0x04, 0x03, handle & 0xff, handle >> 8, 0x13]));
  }

  /** Pulls the adapter out. */
  cut(): void {
    this.#far.destroy();
  }

  #carry(packet: Buffer): void {
    if (isConnected(packet) && packet[4] === 0) this.#handles.add(packet.readUInt16LE(5));
    if (isEnd(packet)) this.#handles.delete(packet.readUInt16LE(4));
    if (isReport(packet)) this.#advertised.set(packet.toString('hex', 4, 13), packet);
    this.#deliver(packet);
  }

  #repeat(): void {
    for (const packet of this.#advertised.values()) this.#deliver(packet);
  }

  #deliver(packet: Buffer): void {
    const left = this.harm(packet);
    if (left !== undefined && !this.#far.destroyed) this.#far.write(left);
  }

  /** btvirt does not survive that a controller goes with its links. */
  async #release(): Promise<void> {
    for (let left = 50; this.#handles.size > 0 && left > 0; left--) {
      for (const handle of this.#handles) this.disconnect(handle);
      await delay(20);
    }
    this.#controller.destroy();
  }
}

const COMMAND_STATUS = 0x0f;
const REPEAT_MS = 200;

/** LE Advertising Report: 7.7.65.2. */
function isReport(packet: Buffer): boolean {
  return packet[0] === 0x04 && packet[1] === 0x3e && packet[3] === 0x02;
}

/** Disconnection Complete: 7.7.5. */
function isEnd(packet: Buffer): boolean {
  return packet[0] === 0x04 && packet[1] === 0x05;
}

/** LE Meta events of a connection that was made: Core Specification, Vol 4 Part E, 7.7.65.1 and .10. */
export function isConnected(packet: Buffer): boolean {
  return packet[0] === 0x04 && packet[1] === 0x3e && (packet[3] === 0x01 || packet[3] === 0x0a);
}

/** Handle Value Notifications: Vol 3 Part F, 3.4.7.1. */
export function isNotification(packet: Buffer): boolean {
  return packet[0] === 0x02 && packet[7] === 0x04 && packet[9] === 0x1b;
}
