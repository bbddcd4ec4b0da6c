/** Kinds and names as users type them. */
import { type Kind, suggestion } from '@limpet/dmi/manifest';
import { usage } from './cli-error.ts';

const KINDS: Readonly<Record<string, Kind>> = {
  node: 'Node',
  nodes: 'Node',
  device: 'Device',
  devices: 'Device',
  dev: 'Device',
  model: 'DeviceModel',
  models: 'DeviceModel',
  devicemodel: 'DeviceModel',
  devicemodels: 'DeviceModel',
  rollout: 'Rollout',
  rollouts: 'Rollout',
  ro: 'Rollout',
};

export function parseKind(word: string): Kind {
  const kind = Object.hasOwn(KINDS, word.toLowerCase()) ? KINDS[word.toLowerCase()] : undefined;
  if (kind !== undefined) return kind;
  throw usage(
    `there is no kind "${word}": nodes, devices, models, rollouts or mappers.${suggestion(word, [...Object.keys(KINDS), 'mappers'])}`,
  );
}

/** `device/default/boiler-1`, as messages and `apply` name a resource. */
export function title(kind: Kind, namespace: string | undefined, name: string): string {
  const word = { Device: 'device', DeviceModel: 'model', Node: 'node', Rollout: 'rollout' }[kind];
  return kind === 'Node' ? `${word} ${name}` : `${word} ${namespace ?? 'default'}/${name}`;
}

/** `NAMESPACE/NAME` or `NAME`. */
export function parseName(text: string, namespace: string): { namespace: string; name: string } {
  const [first = '', second, ...more] = text.split('/');
  if (more.length > 0 || first === '' || second === '') {
    throw usage(`"${text}" is not a name: write NAME or NAMESPACE/NAME.`);
  }
  return second === undefined ? { namespace, name: first } : { namespace: first, name: second };
}
