/** What a server has: its address space as a device model. */
import {
  type Found,
  type Json,
  type MapperContext,
  Misconfigured,
  type Search,
  type Suggested,
} from '@limpet/dmi';
import { makeNodeId } from 'node-opcua-nodeid';
import { AttributeIds } from 'node-opcua-data-model';
import { openSession } from './connect.ts';
import { parseNodeId } from './node-id.ts';
import { Services } from './services.ts';
import { type Settings, settings as schema } from './settings.ts';
import { describeLeaves } from './suggest.ts';
import { shortfalls, walk } from './tree.ts';
import { Types } from './types.ts';

/** Manufacturer, product, version of the server (Part 5, 6.3.3). */
const ABOUT = [2263, 2261, 2264];
const OBJECTS = 'i=85';

/** `root` of the settings: where to begin, instead of Objects. @throws Misconfigured, Unreachable */
export async function* discover(
  { where, settings: given }: Search,
  context: MapperContext,
  signal: AbortSignal,
): AsyncGenerator<Found> {
  const { root = OBJECTS, ...rest } = given;
  const told = { ...rest, ...(where !== undefined && { endpoint: where }) };
  const start = typeof root === 'string' ? parseNodeId(root) : undefined;
  if (start === undefined)
    throw new Misconfigured('OPCUA_ROOT', 'root must be a NodeId such as ns=2;s=Line1');
  const session = await openSession(checked(told), context, signal);
  try {
    const services = await Services.open(session, signal);
    const about = await aboutOf(services, signal);
    const looked = (nodes: number): void => context.log.info(`${nodes} nodes`);
    const tree = await walk(services, services.resolve(start), looked, signal);
    for (const shortfall of shortfalls(tree)) context.log.warn(shortfall);
    const types = new Types(services);
    const { properties, methods } = await describeLeaves(tree.leaves, { services, types, signal });
    yield {
      name: nameOf(String(told['endpoint'])),
      about,
      settings: told,
      model: { description: about, properties, methods: methods as Suggested<never>[] },
    };
  } finally {
    await session.end(AbortSignal.timeout(1_000));
    await session.channel.close();
  }
}

function checked(told: { readonly [key: string]: Json }): Settings {
  if (told['endpoint'] === undefined) {
    const message =
      'OPC UA servers are not searched for; give an address such as opc.tcp://10.0.0.5:4840';
    throw new Misconfigured('OPCUA_WHERE', message);
  }
  const result = schema['~standard'].validate(told);
  if (result instanceof Promise || result.issues !== undefined) {
    const issues = result instanceof Promise ? [] : result.issues;
    throw new Misconfigured('OPCUA_SETTINGS', issues.map(({ message }) => message).join('; '));
  }
  return result.value;
}

async function aboutOf(services: Services, signal: AbortSignal): Promise<string> {
  const nodes = ABOUT.map((id) => ({ nodeId: makeNodeId(id), attributeId: AttributeIds.Value }));
  const values = await services.attributes(nodes, signal);
  const words = values.map((each) => (each.value?.value ?? '') as string | number);
  return words.filter((word) => word !== '').join(' ') || 'OPC UA server';
}

function nameOf(endpoint: string): string {
  const { hostname, port } = new URL(endpoint.replace(/^opc\.tcp:/, 'http:'));
  return `opcua-${hostname}${port === '' ? '' : `-${port}`}`
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 63)
    .replaceAll(/^-+|-+$/g, '');
}
