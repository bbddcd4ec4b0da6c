/** What the cloud adds to an edge's explanation, and what it can tell while the edge is away (pure). */
import { isDeepStrictEqual } from 'node:util';
import type {
  Desired,
  Device,
  Explanation,
  Finding,
  OrderWhy,
  PropertyTwin,
  Reported,
} from '@limpet/dmi/manifest';

/** What the cloud has of a property. */
export interface Known {
  readonly nowMs: number;
  /** As the API shows it. */
  readonly device: Device;
  readonly property: string;
  readonly unit: string | undefined;
  /** As the edge told it: what the API shows of it turns stale while the node is away. */
  readonly mirrored: Reported<number> | undefined;
  readonly nodeSeenMs: number | undefined;
  /** Why the last write to the store failed. */
  readonly failing: string | undefined;
}

/** Why nobody at the node has answered. */
interface Unanswered {
  readonly code: string;
  readonly message: string;
}

/** The edge's answer, and what came after it. */
export function explainJoined(known: Known, there: Explanation): Explanation {
  const { mirrored } = known;
  const acknowledged = there.hops.some(({ hop }) => hop === 'acknowledged');
  const behind = acknowledged && !sameReported(there.reported, mirrored);
  const stops = there.findings.filter(({ effect }) => effect === 'stops');
  const explains = there.findings.filter(({ effect }) => effect === 'explains');
  const order = underWay(known, there) ?? there.order;
  return {
    ...there,
    findings: [...stops, ...failing(known), ...(behind ? [BEHIND] : []), ...explains],
    hops: acknowledged && !behind ? [...there.hops, mirroredHop(known)] : there.hops,
    ...(order && { order }),
  };
}

/** `unanswered` is absent when the node answered that it does not have the device. */
export function explainAlone(known: Known, unanswered: Unanswered | undefined): Explanation {
  const { device, property, unit, mirrored, nowMs } = known;
  const first = unanswered === undefined ? onItsWay(known) : notAsked(known, unanswered);
  const { desired } = twinOf(known);
  return {
    device: idOf(device),
    property,
    from: 'cloud',
    now: iso(nowMs),
    ...(unit !== undefined && { unit }),
    ...(mirrored && { reported: twinOf(known).reported ?? { ...mirrored, at: iso(mirrored.at) } }),
    findings: [first, ...failing(known), ...whatWas(mirrored)],
    hops: mirrored ? [{ hop: 'reported', at: iso(mirrored.at) }, mirroredHop(known)] : [],
    ...(desired && { order: orderAlone(desired, first) }),
  };
}

function onItsWay({ device }: Known): Finding {
  const message = `node "${device.spec.node}" is connected, but does not have the device yet: what is declared is on its way to it`;
  return { stage: 'queue', effect: 'stops', message };
}

function notAsked({ device, property, nodeSeenMs }: Known, { code, message }: Unanswered): Finding {
  const { node } = device.spec;
  const offline = code === 'NODE_OFFLINE';
  if (offline && nodeSeenMs === undefined) return neverSeen(node);
  const kept = offline ? '; what is shown is what it said last' : '';
  const todo = offline
    ? `start the edge "${node}", or look at its link: there "limpet why ${idOf(device)}.${property} --edge limpet.yaml" knows more`
    : `ask the edge itself: "limpet why ${idOf(device)}.${property} --edge limpet.yaml" on "${node}"`;
  return {
    stage: 'link',
    effect: 'stops',
    code,
    message: `${message}${kept}`,
    todo,
    ...(offline && nodeSeenMs !== undefined && { since: iso(nodeSeenMs) }),
  };
}

function neverSeen(node: string): Finding {
  return {
    stage: 'link',
    effect: 'stops',
    code: 'NODE_UNKNOWN',
    message: `node "${node}" has never connected to this cloud`,
    todo: `start an edge with this name and this cloud, or name another in spec.node of the device`,
  };
}

/** What was wrong when the node was heard last. */
function whatWas(mirrored: Reported<number> | undefined): Finding[] {
  if (mirrored === undefined || mirrored.quality === 'good') return [];
  const { quality, reason } = mirrored;
  const message = `when the node was heard last, the value was ${quality} already${reason ? `: ${reason.message}` : ''}`;
  return [{ stage: 'device', effect: 'stops', ...(reason && { code: reason.code }), message }];
}

function failing({ failing: code }: Known): Finding[] {
  if (code === undefined) return [];
  return [
    {
      stage: 'cloud',
      effect: 'stops',
      code,
      message: 'the store of the cloud refuses writes, so edges keep what they have to tell',
      todo: 'see the log of the cloud for "store refuses writes": its disk is probably full or its database away',
    },
  ];
}

const BEHIND: Finding = {
  stage: 'cloud',
  effect: 'stops',
  message: 'the cloud has acknowledged what the edge reports, but has another value',
  todo: 'ask again; if it stays so it is a fault of Limpet: report it with what "limpet why --json" says',
};

/** An order that the edge does not have yet. */
function underWay(known: Known, there: Explanation): OrderWhy | undefined {
  const { desired } = twinOf(known);
  if (desired === undefined || desired.rev <= (there.order?.rev ?? 0)) return undefined;
  const { reason: _, ...order } = desired;
  if (desired.stages.stored !== undefined) return order;
  const message = 'the cloud has it on disk; the node has not stored it yet';
  return {
    ...order,
    finding: { stage: 'queue', effect: 'stops', message, since: order.stages.accepted },
  };
}

function orderAlone({ reason, ...order }: Desired, first: Finding): OrderWhy {
  const { verdict, stages } = order;
  if (verdict === 'applied') return order;
  if (verdict !== 'pending') {
    const message = `${verdict}: ${reason?.message ?? 'no reason was told'}`;
    const code = reason === undefined ? {} : { code: reason.code };
    return { ...order, finding: { stage: 'device', effect: 'stops', ...code, message } };
  }
  const where =
    stages.stored === undefined
      ? 'it is on the disk of the cloud, and goes to the node when that can take it'
      : 'the node has it on its disk; whether the device took it is not known here yet';
  return { ...order, finding: { ...first, message: `${where}: ${first.message}` } };
}

/** When the device last changed in the cloud: the value was there then. */
function mirroredHop({ device, nowMs }: Known): Explanation['hops'][number] {
  // Versions are ms since 1970 times 2000, and ahead of the clock where an edge's was.
  const versionMs = Number(device.metadata.resourceVersion ?? 0) / 2000;
  return { hop: 'mirrored', at: iso(Math.min(versionMs, nowMs)), by: true };
}

function sameReported(there: Reported | undefined, here: Reported<number> | undefined): boolean {
  if (there === undefined || here === undefined) return there === here;
  const [said, has] = [there, here].map(({ value, quality }) => ({ value, quality }));
  return isDeepStrictEqual(said, has);
}

function twinOf({ device, property }: Known): PropertyTwin {
  const twin = device.status?.twin ?? {};
  return (Object.hasOwn(twin, property) && twin[property]) || {};
}

function idOf({ metadata: { namespace = 'default', name } }: Device): string {
  return `${namespace}/${name}`;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
