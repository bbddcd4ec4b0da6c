/** One device: its twin, what may be set, and the past of a property. */
import { get, patch, Refused } from './api.ts';
import { byId, el, shown } from './dom.ts';
import { type Past, plot } from './plot.ts';

interface Twin {
  readonly reported?: { readonly value: unknown; readonly at: string; readonly quality: string };
  readonly desired?: { readonly value: unknown; readonly verdict: string };
}

interface Device {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: { readonly model: string; readonly node: string };
  readonly status: {
    readonly state: string;
    readonly reason?: { readonly message: string };
    readonly twin: Readonly<Record<string, Twin>>;
  };
}

interface Model {
  readonly spec: {
    readonly properties: readonly {
      readonly name: string;
      readonly unit?: string;
      readonly access?: string;
      readonly type: string;
    }[];
  };
}

const HOUR = 3_600_000;

/** `id` is `namespace/name`, or a name in the namespace `default`. */
export async function showDevice(id: string): Promise<void> {
  const panel = byId('device');
  panel.hidden = false;
  try {
    const [namespace = '', name] = id.includes('/') ? id.split('/') : ['default', id];
    const path = `/namespaces/${namespace}/devices/${name}`;
    const device = await get<Device>(path);
    const model = await get<Model>(`/namespaces/${namespace}/devicemodels/${device.spec.model}`);
    panel.replaceChildren(...contents(path, device, model));
  } catch (error) {
    panel.replaceChildren(el('p', { class: 'bad' }, (error as Error).message));
  }
}

function contents(path: string, device: Device, model: Model): readonly Node[] {
  const { metadata, spec, status } = device;
  const past = el('div');
  const rows = model.spec.properties.map((property) => {
    const twin = status.twin[property.name];
    const named = el('a', { href: '#' }, property.name);
    named.addEventListener('click', (event) => {
      event.preventDefault();
      void showPast(`${path}/samples/${property.name}`, property.name, past);
    });
    const quality = twin?.reported?.quality ?? '';
    const value = `${shown(twin?.reported?.value)} ${property.unit ?? ''}`;
    return el(
      'tr',
      {},
      el('td', {}, named),
      el('td', { class: quality }, value),
      el('td', { class: 'quiet' }, wanted(twin)),
      property.access === 'readWrite'
        ? el('td', {}, setButton(path, property.name, twin))
        : el('td'),
    );
  });
  return [
    el('h2', {}, metadata.name),
    el('p', { class: 'quiet' }, `${spec.model} on ${spec.node}, ${status.state}`),
    ...(status.reason ? [el('p', { class: 'bad' }, status.reason.message)] : []),
    el('table', {}, el('tbody', {}, ...rows)),
    past,
  ];
}

function wanted(twin: Twin | undefined): string {
  return twin?.desired ? `→ ${shown(twin.desired.value)} (${twin.desired.verdict})` : '';
}

function setButton(path: string, property: string, twin: Twin | undefined): HTMLElement {
  const button = el('button', { type: 'button' }, 'Set');
  button.addEventListener('click', () => {
    const now = twin?.desired?.value ?? twin?.reported?.value;
    const text = prompt(`${property}, as JSON:`, JSON.stringify(now ?? null));
    if (text !== null) void setDesired(path, property, text);
  });
  return button;
}

async function setDesired(path: string, property: string, text: string): Promise<void> {
  try {
    const value = JSON.parse(text) as unknown;
    await patch(path, { spec: { desired: { [property]: value } } });
    const [, namespace = '', , name = ''] = path.slice(1).split('/');
    await showDevice(`${namespace}/${name}`);
  } catch (error) {
    alert(error instanceof Refused ? error.message : `${text} is not JSON`);
  }
}

async function showPast(path: string, property: string, place: HTMLElement): Promise<void> {
  try {
    const past = await get<Past>(`${path}?since=1h`);
    const now = Date.now();
    const drawn = plot(past, now - HOUR, now);
    const numbers = past.samples.map(({ value }) => Number(value)).filter(Number.isFinite);
    const span =
      numbers.length === 0
        ? 'no numbers in the last hour'
        : `last hour: ${shown(Math.min(...numbers))} to ${shown(Math.max(...numbers))}`;
    place.replaceChildren(el('h3', {}, property), ...(drawn ? [drawn] : []), el('p', {}, span));
  } catch (error) {
    place.replaceChildren(el('p', { class: 'bad' }, (error as Error).message));
  }
}
