/** NodeIds as people write them (OPC UA Part 6, 5.3.1.10): read and written, namespaces as numbers or URIs (pure). */

/** An address in the address space. `namespace` is an index, or a URI that each session looks up anew. */
export interface NodeAddress {
  readonly namespace: number | string;
  readonly kind: 'i' | 's' | 'g' | 'b';
  /** A number for `i`; text for `s`; a lower-case GUID for `g`; base64 for `b`. */
  readonly id: number | string;
}

export const NODE_ID_HINT =
  'expected a NodeId such as ns=2;s=Boiler.Temp, nsu=http://maker.com/UA/;i=1001, i=2258, ns=1;g=GUID or ns=1;b=BASE64';

const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** Part 3, 8.2.4: a string identifier has at most so many characters. */
const MAX_ID = 4096;

/** The address, or undefined where the text is none. */
export function parseNodeId(text: string): NodeAddress | undefined {
  const [, space, uri, kind, id] =
    /^(?:ns=(\d{1,5});|nsu=([^;]+);)?([isgb])=(.+)$/s.exec(text) ?? [];
  if (kind === undefined || id === undefined || id.length > MAX_ID) return undefined;
  const namespace = uri === undefined ? Number(space ?? 0) : decoded(uri);
  if (namespace === undefined || (typeof namespace === 'number' && namespace > 65_535))
    return undefined;
  return withId(namespace, kind as NodeAddress['kind'], id);
}

/** As it is written: `ns=2;s=Boiler.Temp`. */
export function formatNodeId({ namespace, kind, id }: NodeAddress): string {
  if (namespace === 0) return `${kind}=${id}`;
  const space = typeof namespace === 'number' ? `ns=${namespace}` : `nsu=${encoded(namespace)}`;
  return `${space};${kind}=${id}`;
}

function withId(
  namespace: number | string,
  kind: NodeAddress['kind'],
  id: string,
): NodeAddress | undefined {
  switch (kind) {
    case 's':
      return { namespace, kind, id };
    case 'i': {
      const number = Number(id);
      const whole = /^\d{1,10}$/.test(id) && number <= 0xffff_ffff;
      return whole ? { namespace, kind, id: number } : undefined;
    }
    case 'g': {
      const guid = id.toLowerCase();
      return GUID.test(guid) ? { namespace, kind, id: guid } : undefined;
    }
    case 'b':
      return /^[A-Za-z0-9+/]+={0,2}$/.test(id) && id.length % 4 === 0
        ? { namespace, kind, id }
        : undefined;
  }
}

/** Part 6, 5.1.12: in a URI `%` and `;` are escaped. */
function encoded(uri: string): string {
  return uri.replaceAll('%', '%25').replaceAll(';', '%3B');
}

function decoded(uri: string): string | undefined {
  try {
    return decodeURIComponent(uri);
  } catch {
    return undefined;
  }
}
