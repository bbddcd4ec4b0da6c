/** One mapper under its author's hands: the version that runs, its session, and what is typed. */
import type { Json, Log, Value } from '@limpet/dmi';
import { checkOrder, type Property } from '@limpet/dmi/manifest';
import { toValue } from '../../../runtime/device/convert.ts';
import { parseValue } from '../../set/value.ts';
import { type Authored, loadMapper, type Place } from '../authored.ts';
import { Modules } from '../modules.ts';
import { parseTyped, HELP, type Typed } from './commands.ts';
import { Session } from './session.ts';
import { errorText } from './show.ts';
import { deviceOf, exampleOf, type Known, Stage } from './stage.ts';

export interface BenchOptions {
  readonly place: Place;
  readonly example?: string | undefined;
  /** Laid over the example's; with any the real device is meant. */
  readonly settings: { readonly [key: string]: Json };
  readonly everyMs: number;
  readonly log: Log;
  /** Values or state are others now. */
  readonly changed: () => void;
}

interface Version {
  readonly authored: Authored;
  readonly example: Known;
  readonly file: string;
}

export class Bench {
  readonly #options: BenchOptions;
  readonly #modules: Modules;
  readonly #stage: Stage;
  #version: Version | undefined;
  #session: Session | undefined;
  /** One change of what runs at a time. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: BenchOptions) {
    this.#options = options;
    this.#modules = new Modules(options.place.folder);
    this.#stage = new Stage({ log: options.log, real: Object.keys(options.settings).length > 0 });
  }

  /** What a change of makes it another. */
  get files(): readonly string[] {
    const { place } = this.#options;
    return [
      ...new Set([
        place.entry,
        ...this.#modules.files,
        ...(this.#version ? [this.#version.file] : []),
      ]),
    ];
  }

  get session(): Session | undefined {
    return this.#session;
  }

  get properties(): readonly Property[] {
    return this.#version?.example.model.spec.properties ?? [];
  }

  get device(): string {
    return this.#version?.example.device.metadata.name ?? '';
  }

  get simulated(): boolean {
    return this.#stage.device !== undefined;
  }

  /** The first version. @throws CliError */
  async start(): Promise<void> {
    await this.#begin(await this.#load(), false);
  }

  /**
   * Another version in place of the one that runs, which goes on if that cannot be loaded. Says what was kept.
   * @throws CliError
   */
  replace(changed: readonly string[]): Promise<string> {
    return this.#alone(() => this.#replace(changed));
  }

  async #replace(changed: readonly string[]): Promise<string> {
    const kept = this.#keeps(changed);
    this.#modules.renew();
    const [before, next] = [this.#version, await this.#load()];
    this.#stage.wires.hold();
    await this.#session?.stop();
    const open = this.#stage.wires.count;
    try {
      await this.#begin(next, kept);
    } catch (error) {
      // Its simulator fails, which is seen only now: the device is still the one before.
      if (before !== undefined) await this.#begin(before, true);
      throw error;
    }
    if (!this.simulated) return `${open} open ${open === 1 ? 'stream' : 'streams'} kept`;
    return kept ? 'the device and its open streams kept' : 'what the device holds kept';
  }

  #alone<T>(change: () => Promise<T>): Promise<T> {
    const done = this.#last.then(change);
    this.#last = done.catch(() => undefined);
    return done;
  }

  /** Another device under the same code: its connection is closed before, so that none is lost. */
  async #remake(refused: () => readonly string[]): Promise<void> {
    const version = this.#version;
    if (version === undefined) return;
    await this.#session?.stop();
    try {
      await this.#stage.refuse(refused());
    } finally {
      await this.#begin(version, true);
    }
  }

  /** Carries out what was typed, and says what came of it. */
  async type(line: string): Promise<string> {
    const typed = parseTyped(line);
    try {
      return await this.#obey(typed);
    } catch (error) {
      return errorText(error);
    }
  }

  async close(): Promise<void> {
    await this.#session?.stop();
    await this.#stage.close();
  }

  async #load(): Promise<Version> {
    const { place, example, settings } = this.#options;
    const authored = await loadMapper(place, this.#modules);
    return { authored, ...(await exampleOf(authored, example, settings)) };
  }

  async #begin(version: Version, keep: boolean): Promise<void> {
    const { authored, example } = version;
    await this.#stage.take(authored, example, keep);
    this.#version = version;
    const { properties } = example.model.spec;
    const session = new Session({
      mapper: authored.mapper,
      device: deviceOf(example),
      settings: await this.#stage.settings(authored, example),
      properties: properties.map((property, index) => ({
        property,
        visitor: example.properties[index]?.visitor,
      })),
      dial: this.#stage.dial,
      log: this.#options.log,
      everyMs: this.#options.everyMs,
      changed: () => {
        // Its connect has taken up what it wants of the streams that were open.
        if (session.state.kind !== 'connecting') this.#stage.wires.release();
        this.#options.changed();
      },
    });
    this.#session = session;
    session.start();
  }

  /** A device that none of the changed files makes stays the object that it is. */
  #keeps(changed: readonly string[]): boolean {
    const { authored, file } = this.#version ?? {};
    const own = authored?.simulatorFile;
    if (own === undefined || changed.includes(file ?? '')) return false;
    const makes = this.#modules.closure(own);
    return !changed.some((each) => makes.has(each));
  }

  async #obey(typed: Typed): Promise<string> {
    switch (typed.kind) {
      case 'write':
        return this.#write(typed.name, typed.text);
      case 'device':
        return this.#change(typed.name, typed.text);
      case 'refuse':
        return this.#refuse(typed.name);
      case 'unknown':
        return `"${typed.text}" is nothing I know: help lists what is`;
      case 'cut':
      case 'silence':
      case 'garble':
      case 'heal':
      case 'help':
      case 'quit':
      case 'nothing':
        return this.#harm(typed.kind);
    }
  }

  async #harm(
    kind: 'cut' | 'silence' | 'garble' | 'heal' | 'help' | 'quit' | 'nothing',
  ): Promise<string> {
    const { wires } = this.#stage;
    switch (kind) {
      case 'help':
        return HELP.join('\n');
      case 'cut':
        return wires.cut() === 0 ? NO_WIRES : 'cut';
      case 'silence':
      case 'garble':
        if (wires.count === 0) return NO_WIRES;
        wires.harm = kind;
        return `${kind}: heal ends it`;
      case 'heal':
        wires.harm = 'none';
        if (this.#stage.refused.length > 0) await this.#alone(() => this.#remake(() => []));
        return 'healed';
      case 'quit':
      case 'nothing':
        return '';
    }
  }

  async #write(name: string, text: string): Promise<string> {
    const { index, value } = this.#value(name, text);
    const kept = await this.#session?.write(index, value);
    return `written: ${name} is ${textOf(kept ?? null)}`;
  }

  #change(name: string, text: string): string {
    const { device } = this.#stage;
    if (device === undefined) return 'this is a real device: change it there';
    const { value } = this.#value(name, text, 'any access');
    device.set(name, value);
    return `changed at the device: ${name} is ${textOf(device.get(name))}`;
  }

  async #refuse(name: string): Promise<string> {
    if (!this.simulated) return 'this is a real device: it cannot be made to refuse';
    this.#index(name);
    await this.#alone(() => this.#remake(() => [...this.#stage.refused, name]));
    return `the device has no ${name} any more: heal gives it back`;
  }

  #value(name: string, text: string, access?: 'any access'): { index: number; value: Value } {
    const index = this.#index(name);
    const property = this.properties[index] as Property;
    const model = this.#version?.example.model as Known['model'];
    const json = parseValue(model, name, text);
    const all = {
      ...model,
      spec: { ...model.spec, properties: [{ ...property, access: 'readWrite' as const }] },
    };
    const checked = checkOrder(access === undefined ? model : all, name, json);
    if (!checked.ok) throw new Error(checked.message);
    return { index, value: toValue(property.type, json) };
  }

  #index(name: string): number {
    const index = this.properties.findIndex((each) => each.name === name);
    if (index >= 0) return index;
    throw new Error(`the example has no property "${name}"`);
  }
}

const NO_WIRES = 'there is no wire of ours: not connected, or the mapper opens its own sockets';

function textOf(value: Value): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  return typeof value === 'bigint' ? String(value) : JSON.stringify(value);
}
