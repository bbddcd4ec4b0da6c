/** The page: a query, its rows, and a device. */
import {
  type Column,
  query,
  type QueryPlan,
  Refused,
  standing,
  token,
  type WatchEvent,
} from './api.ts';
import { showDevice } from './device.ts';
import { byId, el, shown } from './dom.ts';
import { Rows } from './table.ts';

const EXAMPLES = [
  'SELECT * FROM devices',
  "SELECT device, state, node FROM devices WHERE state <> 'online'",
  "SELECT device, property, value, quality FROM properties WHERE quality <> 'good'",
  'SELECT model, count(*) FROM devices GROUP BY model',
  'SELECT * FROM nodes',
];
const FLEET_MS = 10_000;
const AGAIN_MS = 1_000;

let watching: AbortController | undefined;
/** Which question the page waits for: an answer to an older one comes too late. */
let asking = 0;
let resume: string | undefined;
let table: Rows | undefined;

const text = (): string => byId<HTMLTextAreaElement>('query').value;
const chosen = (device: string): void => void showDevice(device);

async function run(asked: string, from?: string): Promise<void> {
  stopWatching();
  const turn = ++asking;
  await told(async () => {
    const answer = await query(asked, from);
    if (turn !== asking) return;
    if (answer.kind === 'QueryPlan') return showPlan(answer);
    const { columns, rows, metadata } = answer;
    if (from === undefined || table === undefined) begin(new Rows({ columns, chosen }));
    for (const row of rows) table?.add(row);
    resume = metadata.continue;
    byId('more').hidden = resume === undefined;
    const took = metadata.tookMs === undefined ? '' : `, ${shown(metadata.tookMs)} ms`;
    byId('took').textContent = `${table?.size ?? 0} rows${took}`;
  });
}

function showPlan({ steps, estimate }: QueryPlan): void {
  table = undefined;
  byId('more').hidden = true;
  byId('rows').replaceChildren(el('ol', {}, ...steps.map((step) => el('li', {}, step))));
  byId('took').textContent = `about ${estimate.rows} rows read first, cost ${estimate.cost}`;
}

async function watch(asked: string): Promise<void> {
  stopWatching();
  asking++;
  const stop = new AbortController();
  watching = stop;
  byId('watch').textContent = 'Stop';
  byId('more').hidden = true;
  await told(async () => {
    let cursor: string | undefined;
    while (!stop.signal.aborted) {
      try {
        for await (const event of standing(asked, cursor, stop.signal)) {
          follow(event);
          cursor = event.cursor;
        }
      } catch (error) {
        // The service is away: what it told stays, and is gone on from.
        if (!(error instanceof TypeError)) throw error;
        byId('took').textContent = 'the service does not answer; trying again';
      }
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  });
  if (watching === stop) stopWatching();
}

function follow({ type, said }: WatchEvent): void {
  const { key, row, columns } = said as {
    readonly key?: unknown;
    readonly row?: readonly unknown[];
    readonly columns?: readonly Column[];
  };
  const name = JSON.stringify(key);
  if (type === 'error') throw new Refused(400, said as object);
  if (type === 'reset' && columns) begin(new Rows({ columns, chosen }));
  if ((type === 'enter' || type === 'update') && row) table?.put(name, row);
  if (type === 'leave') table?.remove(name);
  byId('took').textContent = `${table?.size ?? 0} rows, live`;
}

function stopWatching(): void {
  watching?.abort();
  watching = undefined;
  byId('watch').textContent = 'Watch';
}

function begin(rows: Rows): void {
  table = rows;
  byId('rows').replaceChildren(rows.element);
}

/** Shows what goes wrong, under the place in the query where it does. */
async function told(work: () => Promise<void>): Promise<void> {
  const fault = byId('fault');
  fault.hidden = true;
  try {
    await work();
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') return;
    if (error instanceof Refused && error.code === 401) return askForToken();
    fault.textContent = error instanceof Refused ? marked(error) : String(error);
    fault.hidden = false;
  }
}

function marked({ message, fault }: Refused): string {
  if (fault?.offset === undefined) return message;
  const before = text().slice(0, fault.offset);
  const line = text().split('\n')[before.split('\n').length - 1] ?? '';
  const column = before.length - before.lastIndexOf('\n') - 1;
  const mark = ' '.repeat(column) + '^'.repeat(Math.max(1, fault.length ?? 1));
  return [line, mark, fault.message ?? message, fault.suggestion ?? ''].join('\n').trimEnd();
}

function askForToken(): void {
  token.forget();
  byId('sign-in').hidden = false;
  byId('token').focus();
}

/** How many nodes and devices are in which state. */
async function fleet(): Promise<void> {
  if (document.hidden) return;
  const items: HTMLElement[] = [];
  for (const kind of ['nodes', 'devices']) {
    const answer = await query(`SELECT state, count(*) FROM ${kind} GROUP BY state`);
    const rows = answer.kind === 'QueryResult' ? answer.rows : [];
    const parts = rows.map(([state, count]) => `${shown(count)} ${shown(state)}`);
    items.push(el('li', {}, `${kind}: ${parts.join(', ') || 'none'}`));
  }
  byId('fleet').replaceChildren(...items);
  byId('forget').hidden = !token.held();
}

function start(): void {
  byId<HTMLTextAreaElement>('query').value = EXAMPLES[0] ?? '';
  const examples = byId<HTMLSelectElement>('examples');
  examples.append(...EXAMPLES.map((each) => el('option', { value: each }, each)));
  examples.addEventListener('change', () => {
    if (examples.value === '') return;
    byId<HTMLTextAreaElement>('query').value = examples.value;
    void run(examples.value);
  });
  byId('ask').addEventListener('submit', (event) => {
    event.preventDefault();
    void run(text());
  });
  byId('query').addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) void run(text());
  });
  byId('watch').addEventListener('click', () => {
    if (watching) stopWatching();
    else void watch(text());
  });
  byId('explain').addEventListener('click', () => void run(`EXPLAIN ${text()}`));
  byId('more').addEventListener('click', () => void run(text(), resume));
  byId('sign-in').addEventListener('submit', (event) => {
    event.preventDefault();
    token.keep(byId<HTMLInputElement>('token').value);
    byId('sign-in').hidden = true;
    void refresh();
  });
  byId('forget').addEventListener('click', () => {
    token.forget();
    location.reload();
  });
  setInterval(() => void told(fleet), FLEET_MS);
  void refresh();
}

async function refresh(): Promise<void> {
  await told(fleet);
  if (watching === undefined && table === undefined) await run(text());
}

start();
