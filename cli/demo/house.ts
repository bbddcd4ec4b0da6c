/** The demo's three processes: plant, cloud, edge, in a folder of their own. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseManifests } from '@limpet/dmi/manifest';
import { ApiClient } from '../../cloud/protocol/api/client.ts';
import { type PlantAddresses, plantManifests } from '../../hil-tests/plant/manifests.ts';
import type { Api } from '../api.ts';
import { applyResource } from '../apply/run.ts';
import { DemoChild } from './child.ts';
import { pickPort } from './ports.ts';

const NODE = 'gateway-1';
const ROOT = path.dirname(path.dirname(import.meta.dirname));
const LIMPET = path.join(ROOT, 'cli', 'limpet.mjs');

export interface Addresses {
  readonly api: string;
  readonly bus: string;
  readonly config: string;
  readonly plant: PlantAddresses;
}

export class DemoHouse {
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'limpet-demo-'));
  readonly #say: (text: string) => void;
  readonly #children: DemoChild[] = [];
  #stopping = false;

  /** `say` is told of progress. */
  constructor(say: (text: string) => void) {
    this.#say = say;
  }

  /** Resolves when all three run and the manifests are applied. */
  async start(): Promise<{ readonly api: Api; readonly addresses: Addresses }> {
    this.#say('Starting plant and cloud ...');
    const [cloudPort, busPort] = [await pickPort(8440), await pickPort(1883)];
    if (cloudPort.other) this.#say(`Port 8440 is taken: the API is on ${cloudPort.port}.`);
    if (busPort.other) this.#say(`Port 1883 is taken: the MQTT bus is on ${busPort.port}.`);
    const plant = this.#spawn('plant', [path.join(ROOT, 'hil-tests', 'plant', 'main.ts')]);
    const listen = `127.0.0.1:${cloudPort.port}`;
    const cloud = this.#spawn('cloud', [
      LIMPET,
      'cloud',
      '--data',
      path.join(this.#folder, 'cloud'),
      '--listen',
      listen,
      '--json',
    ]);
    await cloud.ready();
    const bus = `127.0.0.1:${busPort.port}`;
    const config = path.join(this.#folder, 'limpet.yaml');
    writeFileSync(
      config,
      `node: ${NODE}\ndata: ./edge\ncloud: ws://${listen}/hub\nbus: { listen: "${bus}" }\n`,
    );
    this.#say('Starting edge ...');
    this.#spawn('edge', [LIMPET, 'edge', '--config', config]);
    const api = new ApiClient({ url: `http://${listen}` });
    const addresses = (await plant.ready())['ready'] as PlantAddresses;
    await this.#apply(api, addresses);
    return {
      api,
      addresses: { api: `http://${listen}`, bus: `mqtt://${bus}`, config, plant: addresses },
    };
  }

  /** Rejects as soon as one of the three ends. */
  async broken(): Promise<never> {
    const first = await Promise.race(this.#children.map((child) => child.ended.then(() => child)));
    throw await first.failure();
  }

  /** The last lines of each, for when nothing ended and yet nothing comes. */
  lastLines(): string {
    return this.#children
      .map(({ name, lastLines }) => [`${name}:`, ...lastLines].join('\n  '))
      .join('\n');
  }

  /** The edge first, so that it can say goodbye to the others; then everything is gone. */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (const child of this.#children.toReversed()) await child.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #spawn(name: string, args: readonly string[]): DemoChild {
    // Stopped while starting: what would start now, nobody would end.
    if (this.#stopping) throw new Error('the demo was stopped');
    const child = new DemoChild(name, args);
    this.#children.push(child);
    return child;
  }

  async #apply(api: Api, addresses: PlantAddresses): Promise<void> {
    const file = path.join(this.#folder, 'boiler-house.yaml');
    const text = plantManifests(addresses, NODE);
    writeFileSync(file, text);
    const { resources, faults } = parseManifests(text, file);
    if (faults.length > 0)
      throw new Error(`the demo's own manifests are wrong: ${JSON.stringify(faults)}`);
    this.#say('Applying the manifests ...');
    for (const { resource } of resources) await applyResource(api, resource);
  }
}
