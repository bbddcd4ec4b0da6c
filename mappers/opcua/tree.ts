/** Walks the address space of a server from one node: its variables and methods, each once. */
import type { NodeId } from 'node-opcua-nodeid';
import type { ReferenceDescription } from 'node-opcua-types';
import { pieces } from './pieces.ts';
import type { Services } from './services.ts';

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
  /** There are more nodes than were looked at. */
  readonly cut: boolean;
  /** Nodes below which was not looked: they are too deep. */
  readonly tooDeep: number;
  /** References to nodes of other servers, or in namespaces that this one does not have. */
  readonly elsewhere: number;
  /** Nodes that could not be browsed whole, by the reason. */
  readonly missed: ReadonlyMap<string, number>;
}

/** HierarchicalReferences, HasProperty, the Server object */
const HIERARCHICAL = 33;
const HAS_PROPERTY = 46;
const SERVER = 'ns=0;i=2253';
const [OBJECT, VARIABLE, METHOD] = [1, 2, 4] as const;
/** Of what hangs on a variable or method by HasProperty, all that is read. */
const DESCRIBING = ['EngineeringUnits', 'EURange', 'InputArguments', 'OutputArguments'];
const MAX_NODES = 10_000;
const MAX_DEPTH = 64;
const MAX_REASONS = 16;
/** Part 3, 8.3: a browse name is no longer. */
const MAX_NAME = 512;
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
  const met = new Set<string>([root.toString(), ...(root.toString() === SERVER ? [] : [SERVER])]);
  const growth: Growth = { services, met, leaves: [], elsewhere: 0 };
  const reasons = new Map<string, number>();
  const missed = (reason: string): void => {
    const known = reasons.has(reason) || reasons.size < MAX_REASONS ? reason : 'other reasons';
    reasons.set(known, (reasons.get(known) ?? 0) + 1);
  };
  let level: Branch[] = [{ nodeId: root, path: [] }];
  for (let depth = 0; level.length > 0 && met.size < MAX_NODES && depth < MAX_DEPTH; depth++) {
    const below: Branch[] = [];
    for (const some of pieces(level, AT_ONCE)) {
      const nodes = some.map(({ nodeId }) => nodeId);
      const all = await services.references(nodes, { type: HIERARCHICAL, missed }, signal);
      for (const [index, references] of all.entries()) {
        const branch = some[index];
        if (branch !== undefined) below.push(...grow(growth, branch, references));
      }
      looked(met.size);
    }
    level = below;
  }
  const { leaves, elsewhere } = growth;
  const cut = met.size >= MAX_NODES;
  return { leaves, cut, tooDeep: cut ? 0 : level.length, elsewhere, missed: reasons };
}

/** What is not in a tree, for whoever looks at it, and what to do about it. */
export function shortfalls({ cut, tooDeep, elsewhere, missed }: Tree): string[] {
  return [
    cut && `there is more than ${MAX_NODES} nodes: begin lower, with --set root=NODEID`,
    tooDeep > 0 &&
      `${tooDeep} nodes are ${MAX_DEPTH} levels down, and what is below is left out: begin lower, with --set root=NODEID`,
    elsewhere > 0 &&
      `${elsewhere} references lead to other servers, which are not followed: discover those at their own addresses`,
    ...[...missed].map(
      ([reason, count]) => `${count} nodes were not told whole by the server: ${reason}`,
    ),
  ].filter((each) => each !== false);
}

interface Growth {
  readonly services: Services;
  readonly met: Set<string>;
  readonly leaves: Leaf[];
  elsewhere: number;
}

/** What is below a branch. */
function grow(
  growth: Growth,
  branch: Branch,
  references: readonly ReferenceDescription[],
): Branch[] {
  const below: Branch[] = [];
  for (const reference of references) {
    const nodeId = growth.services.local(reference.nodeId);
    const name = (reference.browseName.name ?? '').slice(0, MAX_NAME);
    if (nodeId === undefined) growth.elsewhere += 1;
    else if (branch.leaf !== undefined && isProperty(reference)) {
      if (DESCRIBING.includes(name)) branch.leaf.properties.set(name, nodeId);
    } else if (isNew(growth, nodeId)) {
      const kind = Number(reference.nodeClass);
      const leaf = leafOf({ nodeId, name, kind }, branch);
      if (leaf !== undefined) growth.leaves.push(leaf);
      const path = [...branch.path, name];
      if (leaf !== undefined) below.push({ nodeId, path, leaf });
      else if (kind === OBJECT) below.push({ nodeId, path });
    }
  }
  return below;
}

/** Trees of OPC UA are graphs: a node may be reached on many ways, and from itself. */
function isNew({ met }: Growth, nodeId: NodeId): boolean {
  const key = nodeId.toString();
  if (met.has(key) || met.size >= MAX_NODES) return false;
  met.add(key);
  return true;
}

function leafOf(
  { nodeId, name, kind }: { nodeId: NodeId; name: string; kind: number },
  { nodeId: parent, path }: Branch,
): Leaf | undefined {
  if (kind !== VARIABLE && kind !== METHOD) return undefined;
  return { nodeId, parent, name, path, isMethod: kind === METHOD, properties: new Map() };
}

function isProperty({ referenceTypeId }: ReferenceDescription): boolean {
  return referenceTypeId.namespace === 0 && Number(referenceTypeId.value) === HAS_PROPERTY;
}
