/** What `npm run bench:cloud` is asked for: read before anything starts, so that a slip costs a second and not an hour. */
import { parseArgs } from 'node:util';

export interface Asked {
  readonly nodes: readonly number[];
  readonly properties: number;
  readonly updates: number;
  readonly seconds: number;
  readonly generators: number;
  readonly store: string | undefined;
  readonly data: string | undefined;
  readonly profile: string | undefined;
  readonly json: boolean;
  readonly scalePage: boolean;
  readonly help: boolean;
}

export const HELP = `npm run bench:cloud -- [options]
  How many nodes and updates one cloud service holds, and in what. Nodes are the edge's own link and session over
  WebSockets on loopback, the service is the command in a process of its own, with a fresh database for each size.
  --nodes N,N,...    fleets to try, one after the other        1000,5000,10000,20000
  --properties N     of each whole fleet, ten to a device      1000000
  --updates N        changes of properties per second          5000
  --seconds N        how long each part is watched             20
  --generators N     processes that the nodes run in           2
  --store WHERE      postgres://... for the service; its database must be empty, and one fleet is tried
  --data FOLDER      where databases are put                   the system's folder for temporary files
  --profile FOLDER   a CPU profile of each life of the service
  --scale-page       writes the figures into cloud/SCALE.md
  --quick            1,000 nodes, 100,000 properties, 1,000 updates/s, 5 s each: about a minute
  --json             one JSON document on stdout
`;

const FULL = { nodes: '1000,5000,10000,20000', properties: '1000000', updates: '5000' };
const QUICK = { nodes: '1000', properties: '100000', updates: '1000' };

/** @throws Error that says what was expected */
export function asked(args: readonly string[]): Asked {
  const { values } = parseArgs({
    args: [...args],
    options: {
      nodes: { type: 'string' },
      properties: { type: 'string' },
      updates: { type: 'string' },
      seconds: { type: 'string' },
      generators: { type: 'string', default: '2' },
      store: { type: 'string' },
      data: { type: 'string' },
      profile: { type: 'string' },
      'scale-page': { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const usual = values.quick ? QUICK : FULL;
  const nodes = (values.nodes ?? usual.nodes).split(',').map((text) => count('--nodes', text));
  const store = values.store === 'sqlite' ? undefined : values.store;
  if (store !== undefined && nodes.length > 1) {
    throw new Error('--store postgres://... tries one fleet: give --nodes one number');
  }
  if (values['scale-page'] && nodes.length < 2) {
    throw new Error('--scale-page needs at least two fleets of different size for a slope');
  }
  return {
    nodes,
    properties: count('--properties', values.properties ?? usual.properties),
    updates: count('--updates', values.updates ?? usual.updates),
    seconds: count('--seconds', values.seconds ?? (values.quick ? '5' : '20')),
    generators: count('--generators', values.generators),
    store,
    data: values.data,
    profile: values.profile,
    json: values.json,
    scalePage: values['scale-page'],
    help: values.help,
  };
}

function count(option: string, text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number > 0) return number;
  throw new Error(`${option} must be a whole number from 1 on, not ${JSON.stringify(text)}`);
}
