/**
 * Of node-opcua only what the OPC UA mapper uses. As published, channel and codecs bring three X.509 libraries for making
 * certificates (the mapper makes its own), a class for each of the specification's 400 structures, and the names of
 * its 12,000 nodes: 15 MB of private memory at import, and 1.2 MB of code.
 */
import { readFile } from 'node:fs/promises';
import { type Plugin } from 'esbuild';

/** Named by node-opcua, and called only to make or to describe certificates, to retry connecting, or to print. */
const UNUSED = /^(@peculiar\/.*|asn1js|sshpk|tsyringe|reflect-metadata|backoff|hexy)$/;

/**
 * Structures that the mapper makes, or meets in places where it looks into them. Others stay bytes, which the mapper takes
 * apart by the server's own definition.
 */
const STRUCTURES = [
  'ActivateSessionRequest',
  'ActivateSessionResponse',
  'AnonymousIdentityToken',
  'Argument',
  'BrowseNextRequest',
  'BrowseNextResponse',
  'BrowseRequest',
  'BrowseResponse',
  'CallRequest',
  'CallResponse',
  'CloseSecureChannelRequest',
  'CloseSecureChannelResponse',
  'CloseSessionRequest',
  'CloseSessionResponse',
  'CreateMonitoredItemsRequest',
  'CreateMonitoredItemsResponse',
  'CreateSessionRequest',
  'CreateSessionResponse',
  'CreateSubscriptionRequest',
  'CreateSubscriptionResponse',
  'DataChangeFilter',
  'DataChangeNotification',
  'DeleteSubscriptionsRequest',
  'DeleteSubscriptionsResponse',
  'EUInformation',
  'EnumDefinition',
  'EnumValueType',
  'EventNotificationList',
  'GetEndpointsRequest',
  'GetEndpointsResponse',
  'OpenSecureChannelRequest',
  'OpenSecureChannelResponse',
  'PublishRequest',
  'PublishResponse',
  'Range',
  'ReadRequest',
  'ReadResponse',
  'RepublishRequest',
  'RepublishResponse',
  'ServiceFault',
  'SignatureData',
  'StatusChangeNotification',
  'StructureDefinition',
  'UserNameIdentityToken',
  'WriteRequest',
  'WriteResponse',
  'X509IdentityToken',
  // Named by the channel.
  'MessageSecurityMode',
  'RequestHeader',
  'ResponseHeader',
  'SecurityTokenRequestType',
  'ChannelSecurityToken',
  '_enumerationMessageSecurityMode',
];

/** Loads as anything, and does nothing: but whoever calls it once the program runs is told. */
const ANYTHING = `
let loading = true;
setImmediate(() => { loading = false; });
const used = () => {
  if (!loading) throw new Error('this part of node-opcua was left out of the bundle');
  return any;
};
const any = new Proxy(function () {}, {
  get: (target, key) =>
    key === 'prototype' ? target.prototype : key === 'then' || key === '__esModule' ? undefined
    : key === Symbol.toPrimitive ? () => '' : any,
  apply: used,
  construct: used,
});
// An ES import makes an object with this one's prototype.
module.exports = new Proxy({}, { get: (_, key) => any[key], getPrototypeOf: () => any });
`;

/** Fails the build when the packages are laid out differently. */
export function opcuaParts(): Plugin {
  return {
    name: 'opcua-parts',
    setup(build) {
      build.onResolve({ filter: UNUSED }, ({ path, importer }) =>
        /[\\/]node_modules[\\/]node-opcua-/.test(importer)
          ? { path, namespace: 'anything' }
          : undefined,
      );
      build.onLoad({ filter: /./, namespace: 'anything' }, () => ({
        contents: ANYTHING,
        loader: 'js',
      }));
      build.onLoad(
        { filter: /node-opcua-types[\\/]dist[\\/]_generated_opcua_types\.js$/ },
        async ({ path }) => ({
          contents: only(await readFile(path, 'utf8'), STRUCTURES),
          loader: 'js',
        }),
      );
      build.onLoad(
        { filter: /node-opcua-constants[\\/]dist[\\/]opcua_node_ids\.js$/ },
        async ({ path }) => ({
          contents: emptied(await readFile(path, 'utf8')),
          loader: 'js',
        }),
      );
    },
  };
}

interface Statement {
  readonly text: string;
  /** What it declares, or is about. */
  readonly name: string | undefined;
}

/** The statements that declare `wanted`, whatever those need, and what is done to any of them. */
export function only(source: string, wanted: readonly string[]): string {
  const statements = split(source);
  const byName = Map.groupBy(statements, ({ name }) => name);
  const kept = new Set<string | undefined>([undefined]);
  const open: string[] = [...wanted];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (kept.has(name)) continue;
    const own = byName.get(name);
    if (own === undefined) throw new Error(`node-opcua-types no longer declares ${name}`);
    kept.add(name);
    for (const { text } of own) {
      for (const word of new Set(text.match(/\w+/g))) if (byName.has(word)) open.push(word);
    }
  }
  const rest = statements.flatMap(({ text, name }) => (kept.has(name) ? [text] : []));
  // Other packages pass these on by name.
  const gone = new Set(
    statements.flatMap(({ text, name }) =>
      text.startsWith('export ') && !kept.has(name) ? [`export const ${name} = undefined;`] : [],
    ),
  );
  return [...rest, ...gone].join('\n');
}

/** Each begins in the first column. */
function split(source: string): Statement[] {
  const texts = source.split(/\n(?=[^\s})\]])/);
  return texts.map((text) => {
    const [, name] =
      /^(?:export )?(?:class|const|var|let|function) (\w+)/.exec(text) ??
      /^(?:registerClassDefinition\(|assert\(|\(function \()?(\w+)(?:\.schema|\.isFlaggable|\.dataTypeNodeId|\) \{)/.exec(
        text,
      ) ??
      [];
    return { text, name };
  });
}

/** Names of nodes, for whoever writes them instead of numbers; of the types the factory wants them itself. */
function emptied(source: string): string {
  if (!source.includes('export var DataTypeIds'))
    throw new Error('node-opcua-constants has changed');
  return split(source)
    .map(({ text, name }) =>
      name === undefined || name === 'DataTypeIds' || !text.startsWith('(function') ? text : '',
    )
    .join('\n')
    .replaceAll(/^export var (\w+);$/gm, (whole, name: string) =>
      name === 'DataTypeIds' ? whole : `export var ${name} = {};`,
    );
}
