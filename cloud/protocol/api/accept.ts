/** In which form a client wants resources, by its Accept header, as Kubernetes clients say it. */

/** `whole`: as they are. `table`: as rows that the server lays out. `metadata`: without spec and status. */
export type Form = 'whole' | 'table' | 'metadata';

/** One entry of an Accept header: its media type and its parameters. */
export interface Accepted {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** The entries in the order given; weights are not looked at, clients of this API send none. */
export function acceptedBy(header: string | undefined): readonly Accepted[] {
  return (header ?? '').split(',').map((entry) => {
    const [type = '', ...parameters] = entry.split(';').map((part) => part.trim());
    const pairs = parameters.map((parameter) => {
      const [name = '', ...value] = parameter.split('=');
      return [name, value.join('=')] as const;
    });
    return { type: type.toLowerCase(), parameters: new Map(pairs) };
  });
}

/** The first form asked for that is known here. */
export function formOf(header: string | undefined): Form {
  for (const { type, parameters } of acceptedBy(header)) {
    if (type !== 'application/json') continue;
    const as = parameters.get('as');
    if (as === undefined) return 'whole';
    if (parameters.get('g') !== 'meta.k8s.io' || parameters.get('v') !== 'v1') continue;
    if (as === 'Table') return 'table';
    if (as.startsWith('PartialObjectMetadata')) return 'metadata';
  }
  return 'whole';
}
