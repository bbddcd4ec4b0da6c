/** The files of a yard: mappers as third parties deliver them, and the manifests of its devices. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { NODE } from '../rig/rig.ts';

const here = import.meta.dirname;

/** What the mapper's manifest says beside its protocol. */
export interface Terms {
  readonly hosting?: 'inline' | 'process';
  readonly memory?: string;
  readonly disk?: string;
  readonly permissions?: { readonly network: readonly string[] };
}

export interface Package {
  readonly protocol: string;
  readonly version: string;
  /** A file of `offences/`. */
  readonly offence: string;
  readonly terms?: Terms;
}

/** Puts it below `folder`, file by file, each whole at once. */
export function putMapper(folder: string, given: Package): void {
  const own = path.join(folder, given.protocol);
  mkdirSync(own, { recursive: true });
  const files = {
    'mapper.mjs': readFileSync(path.join(here, 'mapper.mjs'), 'utf8'),
    'offence.mjs': readFileSync(path.join(here, 'offences', `${given.offence}.mjs`), 'utf8'),
    'package.json': packageText(given),
  };
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(path.join(own, `.${name}`), text);
    renameSync(path.join(own, `.${name}`), path.join(own, name));
  }
}

function packageText({ protocol, version, terms }: Package): string {
  return JSON.stringify({
    name: `acme-${protocol}`,
    version,
    type: 'module',
    main: './mapper.mjs',
    limpet: { protocol, ...terms },
  });
}

/** Two Modbus devices at `port`, and one device of each mapper of the yard; each has the property `beat`. */
export function manifestsText(wanted: {
  readonly port: number;
  readonly everyMs: number;
  /** Protocols of further mappers, each with a device. */
  readonly beside: readonly string[];
}): string {
  const { port, everyMs, beside } = wanted;
  const counter = (protocol: string): string => `
kind: DeviceModel
apiVersion: limpet.dev/v1
metadata: { name: ${protocol} }
spec:
  protocol: ${protocol}
  properties:
    - { name: beat, type: int, every: ${everyMs}ms, history: true, visitor: { key: beat } }
    - { name: said, type: string, every: ${everyMs}ms, visitor: { key: said } }
    - { name: trigger, type: string, access: readWrite, every: ${everyMs}ms, visitor: { key: trigger } }
`;
  const meter = `
kind: DeviceModel
apiVersion: limpet.dev/v1
metadata: { name: meter }
spec:
  protocol: modbus
  properties:
    - { name: beat, type: int, every: ${everyMs}ms, history: true, visitor: { register: input, address: 0 } }
`;
  const device = (name: string, model: string, settings: string): string => `
kind: Device
apiVersion: limpet.dev/v1
metadata: { name: ${name} }
spec: { node: ${NODE}, model: ${model}, settings: ${settings} }
`;
  const address = `address: "tcp://127.0.0.1:${port}", timeout: 2s`;
  return [
    meter,
    ...['neighbour', 'offender', ...beside].map(counter),
    device('meter-1', 'meter', `{ ${address}, unit: 1 }`),
    device('meter-2', 'meter', `{ ${address}, unit: 2 }`),
    ...['neighbour', 'offender', ...beside].map((name) => device(`${name}-1`, name, '{}')),
  ].join('---');
}
