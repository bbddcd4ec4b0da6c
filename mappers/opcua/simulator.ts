/**
 * `@limpet/mapper-opcua/simulator`: an OPC UA server of the same family as the mapper's library, with the nodes that
 * visitors name. For tests and demonstrations: it takes three seconds to start and 200 MB.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import {
  defineSimulator,
  type Json,
  type PropertyType,
  type SimulatedDevice,
  type Value,
} from '@limpet/dmi';
import type { Namespace, UAVariable } from 'node-opcua-address-space';
import { OPCUACertificateManager } from 'node-opcua-certificate-manager';
import { nodesets } from 'node-opcua-nodesets';
import { OPCUAServer, type OPCUAServerOptions } from 'node-opcua-server';
import { SecurityPolicy } from 'node-opcua-secure-channel';
import { MessageSecurityMode } from 'node-opcua-types';
import { DataType, Variant, VariantArrayType } from 'node-opcua-variant';
import { formatNodeId, type NodeAddress } from './node-id.ts';
import { nativeOf, plain, scalarOf } from './scalar.ts';
import type { Settings } from './settings.ts';
import type { Visitor } from './visitor.ts';

/** Server_ServerDiagnostics_SessionsDiagnosticsSummary */
const SESSIONS_SUMMARY = 'i=3706';

/** One variable of the server. */
export interface SimulatedVariable {
  readonly node: NodeAddress;
  readonly name: string;
  readonly type: DataType;
  readonly value: Value;
  readonly writable: boolean;
  /** What the server does not do by itself is done to it here. */
  readonly shape?: Partial<Parameters<Namespace['addVariable']>[0]>;
}

/** A server on a free port of this machine. */
export class SimulatedServer {
  readonly server: OPCUAServer;
  readonly #folder: string;
  readonly #own: boolean;
  readonly #variables = new Map<
    string,
    { readonly variable: UAVariable; readonly type: DataType }
  >();

  private constructor(server: OPCUAServer, folder: string, own: boolean) {
    this.server = server;
    this.#folder = folder;
    this.#own = own;
  }

  /** `folder`: where its certificate is, and stays. */
  static async start(options: OPCUAServerOptions = {}, folder?: string): Promise<SimulatedServer> {
    const kept = folder ?? (await mkdtemp(path.join(tmpdir(), 'limpet-opcua-')));
    const manager = (name: string): OPCUACertificateManager =>
      new OPCUACertificateManager({
        rootFolder: path.join(kept, name),
        automaticallyAcceptUnknownCertificate: true,
      });
    const [serverCertificateManager, userCertificateManager] = [manager('pki'), manager('users')];
    await Promise.all([serverCertificateManager.initialize(), userCertificateManager.initialize()]);
    const server = new OPCUAServer({
      port: 0,
      hostname: '127.0.0.1',
      nodeset_filename: [nodesets.standard],
      serverCertificateManager,
      userCertificateManager,
      ...options,
    });
    await server.initialize();
    // For each session it would build, and take down, a hundred nodes that tell about it: half of the work of a test.
    const space = server.engine.addressSpace;
    const summary = space?.findNode(SESSIONS_SUMMARY);
    if (space && summary) space.deleteNode(summary);
    await server.start();
    return new SimulatedServer(server, kept, folder === undefined);
  }

  get port(): number {
    const [endpoint] = this.server.endpoints;
    return endpoint?.port ?? 0;
  }

  get endpoint(): string {
    return `opc.tcp://127.0.0.1:${this.port}`;
  }

  /** The namespace with this index or URI; made, and all before it, if there is none. */
  namespace(wanted: number | string): Namespace {
    const space = this.server.engine.addressSpace;
    if (space === null) throw new Error('the server is not started');
    if (typeof wanted === 'string') return space.registerNamespace(wanted);
    for (let index = space.getNamespaceArray().length; index <= wanted; index++)
      space.registerNamespace(`urn:limpet:simulator:${index}`);
    const [, ...own] = space.getNamespaceArray();
    return (own.find(({ index }) => index === wanted) ?? space.getOwnNamespace()) as Namespace;
  }

  add({ node, name, type, value, writable, shape = {} }: SimulatedVariable): UAVariable {
    const namespace = this.namespace(node.namespace);
    const variable = namespace.addVariable({
      organizedBy: this.server.engine.addressSpace?.rootFolder.objects as never,
      browseName: name,
      nodeId: formatNodeId({ ...node, namespace: namespace.index }),
      dataType: DataType[type],
      valueRank: Array.isArray(value) ? 1 : -1,
      accessLevel: writable ? 'CurrentRead | CurrentWrite' : 'CurrentRead',
      userAccessLevel: writable ? 'CurrentRead | CurrentWrite' : 'CurrentRead',
      minimumSamplingInterval: 10,
      ...shape,
    });
    this.#variables.set(name, { variable, type });
    this.set(name, value);
    return variable;
  }

  get(name: string): Value {
    const { variable, type } = this.#of(name);
    const { value } = variable.readValue();
    if (value.arrayType === VariantArrayType.Scalar) return scalarOf(type, value.value);
    return Array.from(value.value as ArrayLike<unknown>, (each) => plain(scalarOf(type, each)));
  }

  set(name: string, value: Value): void {
    const { variable, type } = this.#of(name);
    variable.setValueFromSource(
      Array.isArray(value)
        ? new Variant({
            dataType: type,
            arrayType: VariantArrayType.Array,
            value: value.map((each) => nativeOf(type, each as Value)),
          })
        : new Variant({
            dataType: type,
            arrayType: VariantArrayType.Scalar,
            value: nativeOf(type, value),
          }),
    );
  }

  async close(): Promise<void> {
    await this.server.shutdown(0);
    if (this.#own) await rm(this.#folder, { recursive: true, force: true });
  }

  #of(name: string): { readonly variable: UAVariable; readonly type: DataType } {
    const found = this.#variables.get(name);
    if (found === undefined) throw new Error(`the simulated server has no variable ${name}`);
    return found;
  }
}

const TYPES: { readonly [Type in PropertyType]: DataType } = {
  bool: DataType.Boolean,
  int: DataType.Int64,
  float: DataType.Double,
  string: DataType.String,
  bytes: DataType.ByteString,
  // A list of numbers: of JSON the one thing that needs no type of its own.
  json: DataType.Double,
};

/** One server a device, with a variable for each property; of those with the index of a list, with that list. */
export const simulator = defineSimulator<Settings, Visitor>({
  async simulate({ properties }): Promise<SimulatedDevice> {
    const server = await SimulatedServer.start(ROOMY);
    const places = new Map<string, Place>();
    try {
      for (const { name, type, visitor, value, access } of properties) {
        if (visitor.kind === 'method') continue;
        const index = visitor.range === undefined ? undefined : Number(visitor.range);
        const held = index === undefined ? value : listWith(index, value);
        places.set(name, { index });
        const writable = access === 'readWrite';
        server.add({ node: visitor.node, name, type: TYPES[type], value: held, writable });
      }
    } catch (error) {
      // It would keep the process of whoever tried.
      await server.close();
      throw error;
    }
    const address = `tcp://127.0.0.1:${server.port}`;
    return {
      accept: (wire) => join(wire, server.port),
      address,
      settings: (through) => ({
        endpoint: through.replace(/^tcp:/, 'opc.tcp:'),
        security: 'none',
      }),
      get(property) {
        const { index } = places.get(property) ?? {};
        const held = server.get(property);
        return index === undefined ? held : ((held as readonly Json[])[index] ?? null);
      },
      set(property, value) {
        const { index } = places.get(property) ?? {};
        server.set(property, index === undefined ? value : listWith(index, value));
      },
      close: () => server.close(),
    };
  },
});

interface Place {
  /** Of the element of a list. */
  readonly index: number | undefined;
}

/** Each conformance trial opens sessions of its own, and some are cut before they can be closed. */
const ROOMY = {
  // The one that is spoken: the others' certificates would be told with each connect.
  securityModes: [MessageSecurityMode.None],
  securityPolicies: [SecurityPolicy.None],
  maxConnectionsPerEndpoint: 1_000,
  serverCapabilities: { maxSessions: 1_000 } as never,
};

function listWith(index: number, value: Value): Json {
  const list: Json[] = Array.from({ length: index + 2 }, () => plain(value));
  return list;
}

/** A wire that the mapper has dialled, led to the server's own socket. */
function join(wire: Duplex, port: number): void {
  const socket = connect(port, '127.0.0.1');
  wire.pipe(socket);
  socket.pipe(wire);
  for (const [one, other] of [
    [wire, socket],
    [socket, wire],
  ] as const) {
    one.on('error', () => other.destroy());
    one.on('close', () => other.destroy());
  }
}
