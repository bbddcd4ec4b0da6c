/** Walks the address space of a server from one node: its variables and methods, each once. */
import type { NodeId } from 'node-opcua-nodeid';
import type { ReferenceDescription } from 'node-opcua-types';
import { local, pieces, type Services } from './services.ts';

/** A variable or method, where it was met first. */
export interface Leaf {
  readonly nodeId: NodeId;
  readonly parent: NodeId;
  readonly name: string;
  /** Names above it, outermost first. */
  readonly path: readonly string[];
  readonly isMethod: boolean;
  /** Its properties, by name: units, ranges, arguments. */
  readonly properties: Map<string, NodeId>;
}

export interface Tree {
  readonly leaves: readonly Leaf[];
  /** There is more than was looked at. */
  readonly cut: boolean;
}

/** HierarchicalReferences, HasProperty, the Server object */
const HIERARCHICAL = 33;
const HAS_PROPERTY = 46;
const SERVER = 'ns=0;i=2253';
const [OBJECT, VARIABLE, METHOD] = [1, 2, 4] as const;
const MAX_NODES = 10_000;
const AT_ONCE = 100;

interface Branch {
  readonly nodeId: NodeId;
  readonly path: readonly string[];
  /** Set for a variable or method: what hangs on it by HasProperty describes it. */
  readonly leaf?: Leaf;
}

/** `looked` is told how many nodes were met so far. @throws what a service throws */
export async function walk(
  services: Services,
  root: NodeId,
  looked: (nodes: number) => void,
  signal: AbortSignal,
): Promise<Tree> {
  const leaves: Leaf[] = [];
  const met = new Set<string>([root.toString(), ...(root.toString() === SERVER ? [] : [SERVER])]);
  let level: Branch[] = [{ nodeId: root, path: [] }];
  while (level.length > 0 && met.size < MAX_NODES) {
    const below: Branch[] = [];
    for (const some of pieces(level, AT_ONCE)) {
      const nodes = some.map(({ nodeId }) => nodeId);
      const all = await services.references(nodes, { type: HIERARCHICAL }, signal);
      for (const [index, references] of all.entries()) {
        const branch = some[index];
        if (branch !== undefined) grow({ branch, references, met, below, leaves });
      }
      looked(met.size);
    }
    level = below;
  }
  return { leaves, cut: level.length > 0 || met.size >= MAX_NODES };
}

interface Growth {
  readonly branch: Branch;
  readonly references: readonly ReferenceDescription[];
  readonly met: Set<string>;
  readonly below: Branch[];
  readonly leaves: Leaf[];
}

function grow({ branch, references, met, below, leaves }: Growth): void {
  for (const reference of references) {
    const nodeId = local(reference.nodeId);
    const name = reference.browseName.name ?? '';
    if (branch.leaf !== undefined && isProperty(reference)) {
      branch.leaf.properties.set(name, nodeId);
      continue;
    }
    const key = nodeId.toString();
    // Trees of OPC UA are graphs: a node may be reached on many ways, and from itself.
    if (met.has(key) || met.size >= MAX_NODES) continue;
    met.add(key);
    const kind = Number(reference.nodeClass);
    if (kind === OBJECT) {
      below.push({ nodeId, path: [...branch.path, name] });
    } else if (kind === VARIABLE || kind === METHOD) {
      const leaf: Leaf = {
        nodeId,
        parent: branch.nodeId,
        name,
        path: branch.path,
        isMethod: kind === METHOD,
        properties: new Map(),
      };
      leaves.push(leaf);
      below.push({ nodeId, path: [...branch.path, name], leaf });
    }
  }
}

function isProperty({ referenceTypeId }: ReferenceDescription): boolean {
  return referenceTypeId.namespace === 0 && Number(referenceTypeId.value) === HAS_PROPERTY;
}
