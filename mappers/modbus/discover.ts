/** Looks which units answer at an address, and asks those what they are. */
import {
  type Found,
  Garbled,
  type MapperContext,
  Misconfigured,
  type Search,
  Unreachable,
} from '@limpet/dmi';
import { dial } from './dial.ts';
import { identityRequest, type Objects, readIdentity } from './identity.ts';
import { type Settings, settings } from './settings.ts';
import { Wire } from './wire.ts';

/** Short, for most units are not there; a gateway that takes longer to give up needs `timeout` to be longer. */
const TIMEOUT = { tcp: '500ms', rtu: '200ms' };
const LAST_UNIT = 247;
/** A device that speaks TCP itself: Messaging on TCP/IP V1.0b, 4.4.1.2. */
const ITSELF = 255;
/** No line has all of these: whoever answers to them and for itself does not look at the number. */
const UNLIKELY = [1, 2, 113, 201, LAST_UNIT];
/** Connections lost one after the other. */
const MAX_LOST = 3;
/** Replies to one identification; three objects fit into one. */
const MAX_REPLIES = 4;
/** Read Holding Registers, the first one: harmless, and even a no is an answer. */
const HARMLESS = Buffer.from([3, 0, 0, 0, 1]);
/** Of a gateway: the unit is not there. */
const ABSENT = new Set([10, 11]);

/** @throws Misconfigured MODBUS_SEARCH; Unreachable when nothing is there at all */
export async function* discover(
  search: Search,
  context: MapperContext,
  signal: AbortSignal,
): AsyncGenerator<Found> {
  const place = await placeOf(search);
  const line = new Line(place.settings, context);
  try {
    if (place.units === undefined && place.settings.framing === 'tcp') {
      if (await line.all([ITSELF, ...UNLIKELY], signal)) {
        yield found(place, ITSELF, await line.identity(ITSELF, signal), 'answers to every unit');
        return;
      }
    }
    const units = place.units ?? everyUnit(place.settings.framing);
    for (const [at, unit] of units.entries()) {
      context.log.info(`asking unit ${unit}, ${at + 1} of ${units.length}`);
      if (!(await line.answers(unit, signal))) continue;
      yield found(place, unit, await line.identity(unit, signal));
    }
  } finally {
    line.close();
  }
}

/** The wire to all units, opened again when it is lost. */
class Line {
  readonly #settings: Settings;
  readonly #context: MapperContext;
  readonly #known = new Map<number, boolean>();
  #wire: Wire | undefined;
  #lost = 0;

  constructor(settings_: Settings, context: MapperContext) {
    this.#settings = settings_;
    this.#context = context;
  }

  async all(units: readonly number[], signal: AbortSignal): Promise<boolean> {
    for (const unit of units) if (!(await this.answers(unit, signal))) return false;
    return true;
  }

  /** Whether somebody says something to this number. */
  async answers(unit: number, signal: AbortSignal): Promise<boolean> {
    const known = this.#known.get(unit);
    if (known !== undefined) return known;
    const reply = await this.#ask(unit, HARMLESS, signal);
    const there = reply !== undefined && !(reply.length === 2 && ABSENT.has(reply.readUInt8(1)));
    this.#known.set(unit, there);
    return there;
  }

  /** What it says it is; empty where it does not. */
  async identity(unit: number, signal: AbortSignal): Promise<Objects> {
    const objects = new Map<number, string>();
    let from: number | undefined = 0;
    for (let replies = 0; from !== undefined && replies < MAX_REPLIES; replies++) {
      const reply = await this.#ask(unit, identityRequest(from), signal);
      const read = reply && readIdentity(reply);
      for (const [id, text] of read?.objects ?? []) objects.set(id, text);
      from = read?.next;
    }
    return objects;
  }

  close(): void {
    this.#wire?.close();
    this.#wire = undefined;
  }

  /** The reply; `undefined` for none, or one that is of no use. */
  async #ask(unit: number, pdu: Buffer, signal: AbortSignal): Promise<Buffer | undefined> {
    this.#wire ??= await this.#open(signal);
    try {
      const reply = await this.#wire.exchange({ unit, pdu }, signal);
      this.#lost = 0;
      return reply;
    } catch (error) {
      if (signal.aborted || !(error instanceof Unreachable || error instanceof Garbled))
        throw error;
      if (error.code === 'MODBUS_TIMEOUT') return undefined;
      this.#context.log.warn(`unit ${unit}: ${error.message}`);
      // Spoilt answers of a line leave it as it was.
      if (error instanceof Unreachable && error.code !== 'MODBUS_CLOSED') return undefined;
      this.close();
      this.#lost += 1;
      if (this.#lost >= MAX_LOST) throw error;
      return undefined;
    }
  }

  async #open(signal: AbortSignal): Promise<Wire> {
    const stream = await dial(this.#settings, this.#context, signal);
    const first = Math.floor(Math.random() * 0x1_0000);
    return new Wire(stream, this.#settings, this.#context.clock, first);
  }
}

interface Place {
  readonly settings: Settings;
  /** As devices there shall have them. */
  readonly written: Found['settings'];
  /** Those that were asked for. */
  readonly units: readonly number[] | undefined;
}

async function placeOf({ where, settings: given }: Search): Promise<Place> {
  if (where === undefined) {
    throw wrong(
      'say where to look: tcp://HOST, rtu:///dev/ttyUSB0?baud=19200 or rtu+tcp://HOST:PORT',
    );
  }
  const { units, unit, timeout, ...rest } = given;
  const standard = where.startsWith('tcp://') ? TIMEOUT.tcp : TIMEOUT.rtu;
  const whole = { ...rest, address: where, timeout: timeout ?? standard };
  const result = await settings['~standard'].validate(whole);
  if (result.issues !== undefined) {
    const why = result.issues.map(({ message }) => message).join('; ');
    throw wrong(`${why}; looking also takes units, like 3 or 1-32,40`);
  }
  const written = { address: where, ...rest };
  return { settings: result.value, written, units: unitsOf(units ?? unit) };
}

/** `3`, or `1-32,40`. */
function unitsOf(given: unknown): readonly number[] | undefined {
  if (given === undefined) return undefined;
  const text = typeof given === 'string' || typeof given === 'number' ? `${given}` : '';
  return [...new Set(text.split(',').flatMap(rangeOf))];
}

function rangeOf(text: string): number[] {
  const [, from, to = from] = /^\s*(\d{1,3})(?:-(\d{1,3}))?\s*$/.exec(text) ?? [];
  const [first, last] = [Number(from), Number(to)];
  if (first <= last && last <= ITSELF) {
    return Array.from({ length: last - first + 1 }, (_, at) => first + at);
  }
  throw wrong('units must be like 3 or 1-32,40, from 0 to 255');
}

function everyUnit(framing: Settings['framing']): readonly number[] {
  const units = Array.from({ length: LAST_UNIT }, (_, at) => at + 1);
  return framing === 'tcp' ? [ITSELF, ...units] : units;
}

function found(place: Place, unit: number, objects: Objects, how?: string): Found {
  const [vendor, product, revision] = [0, 1, 2].map((id) => objects.get(id) ?? '');
  const identity = [vendor, product, revision].filter((each) => each !== '').join(' ');
  const what = identity === '' ? 'answers, and does not say what it is' : identity;
  return {
    name: `${label(product ?? '') || 'unit'}-${unit}`,
    about: [`unit ${unit}`, ...(how === undefined ? [] : [how]), what].join(', '),
    settings: { ...place.written, unit },
    ...(identity !== '' && { model: { description: identity, properties: [] } }),
  };
}

function label(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 40);
}

function wrong(message: string): Misconfigured {
  return new Misconfigured('MODBUS_SEARCH', message);
}
