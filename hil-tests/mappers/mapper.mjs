/**
 * A mapper as a third party writes one: no package beneath, plain JavaScript. Its device is a counter that it keeps
 * itself; what else it does, on command, is in `offence.mjs` beside it.
 */
import { existsSync, writeFileSync } from 'node:fs';
import manifest from './package.json' with { type: 'json' };
import * as offence from './offence.mjs';

const KEYS = ['beat', 'trigger', 'said'];
/** In its scratch folder: an order that is tried again after a crash does no more harm. */
const MARK = `acted-${manifest.version}`;

/** One that waits for no order does so from the start. */
let acts = offence.act === undefined;

export default {
  protocol: manifest.limpet.protocol,
  settings: schema(() => undefined),
  visitor: schema(({ key }) => (KEYS.includes(key) ? undefined : `no such key: ${key}`)),
  async connect(_settings, context) {
    offence.connect?.();
    return new Counter(context);
  },
};

class Counter {
  #beat = 0;
  #trigger = '';
  /** What it did, below the version that did it. */
  #said = manifest.version;
  #context;

  constructor(context) {
    this.#context = context;
    if (offence.subscribe) this.subscribe = offence.subscribe;
  }

  async read(visitors) {
    if (offence.read && acts) return offence.read(visitors);
    this.#beat += 1;
    const values = { beat: this.#beat, trigger: this.#trigger, said: this.#said };
    return visitors.map(({ key }) => ({ ok: true, value: values[key] }));
  }

  async write(_visitor, value) {
    this.#trigger = value;
    const [version, order] = value.split(' ');
    if (version !== manifest.version || existsSync(MARK)) return value;
    writeFileSync(MARK, '');
    acts = true;
    const did = (await offence.act?.(order, this.#context)) ?? 'done';
    this.#said = `${version} ${did}`;
    return value;
  }

  async close() {
    await offence.close?.();
  }
}

/** A Standard Schema without a library. */
function schema(fault) {
  return {
    '~standard': {
      version: 1,
      vendor: 'acme',
      validate(value) {
        const message = fault(value);
        return message === undefined ? { value } : { issues: [{ message }] };
      },
    },
  };
}
