/** The plant's devices as manifests, with the addresses that it really has. */
import { readFileSync } from 'node:fs';
import path from 'node:path';

export interface PlantAddresses {
  /** `tcp://HOST:PORT` of the gateway. */
  readonly gateway: string;
  /** `rtu:///dev/pts/N?…` or `rtu+tcp://HOST:PORT` of the serial line. */
  readonly line: string;
}

/** The text of a manifest file for this plant, run by `node`. */
export function plantManifests(addresses: PlantAddresses, node: string): string {
  const values: Readonly<Record<string, string>> = { ...addresses, node };
  return readFileSync(path.join(import.meta.dirname, 'boiler-house.yaml'), 'utf8').replaceAll(
    /\$\{(\w+)\}/g,
    (_, name: string) => values[name] ?? '',
  );
}
