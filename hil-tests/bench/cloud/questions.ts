/** What is asked of the API under load. A query that this cloud does not know yet is left out. */
import type { Asked, Prober, Question } from './probes.ts';
import { deviceName } from './plant.ts';

export interface Size {
  readonly nodes: number;
  readonly devices: number;
}

const API = '/apis/limpet.dev/v1';
const PAGE_ITEMS = 100;

export function devicePath(name: string): string {
  return `${API}/namespaces/default/devices/${name}`;
}

/** One thing, often. */
export function pointQuestions(size: Size, queries: boolean): readonly Question[] {
  const plain: readonly Question[] = [
    { name: 'get', everyMs: 20, ask: () => ({ path: devicePath(anyDevice(size)) }) },
    { name: 'health', everyMs: 50, ask: () => ({ path: '/healthz' }) },
  ];
  if (!queries) return plain;
  const point = (): Asked =>
    query(
      `SELECT device, temperature FROM devices WHERE device = 'default/${anyDevice(size)}' LIMIT 1`,
    );
  return [...plain, { name: 'query', everyMs: 50, ask: point }];
}

/** Many things at once, now and then. */
export function pageQuestions(queries: boolean): readonly Question[] {
  const list = { path: `${API}/devices?limit=${PAGE_ITEMS}` };
  const page = { name: 'list', everyMs: 500, ask: () => list };
  if (!queries) return [page];
  const top = query(
    "SELECT device, temperature FROM devices WHERE model = 'meter-3' AND temperature > 80 ORDER BY temperature DESC LIMIT 20",
  );
  return [page, { name: 'top', everyMs: 500, ask: () => top }];
}

/** Those that read everything, one after the other. */
export function aggregateQuestions(): readonly Question[] {
  const asked = {
    'aggregate of one property': 'SELECT avg(temperature), count(*) FROM devices',
    'aggregate of all properties': 'SELECT property, count(*) FROM properties GROUP BY property',
    'aggregate by model':
      'SELECT model, avg(temperature), max(pressure) FROM devices GROUP BY model',
  };
  return Object.entries(asked).map(([name, text]) => ({
    name,
    everyMs: 2000,
    ask: () => query(text),
  }));
}

export function query(text: string): Asked {
  return { path: `${API}/query`, body: { query: text } };
}

/** Asked of a cloud that is idle. */
export async function knowsQueries(prober: Prober): Promise<boolean> {
  const { status, text } = await prober.ask(query('SELECT count(*) FROM nodes'));
  if (status === 404 || status === 405) return false;
  if (status === 200) return true;
  throw new Error(`a query that counts nodes was answered ${status}: ${text}`);
}

function anyDevice({ nodes, devices }: Size): string {
  return deviceName(Math.floor(Math.random() * nodes), Math.floor(Math.random() * devices));
}
