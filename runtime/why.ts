/**
 * Why the value of a property is as it is, all the way through this node: what the store, the device, its mapper and
 * the link know, put together. Only what is in memory is looked at: nothing is read or asked for it.
 */
import { type Clock } from '@limpet/dmi';
import {
  type Desired,
  type Explanation,
  type ExplainDoor,
  type Finding,
  type Hop,
  type Id,
  type OrderWhy,
  type Reason,
} from '@limpet/dmi/manifest';
import { desiredOf, reportedOf } from './api/compose.ts';
import { type DeviceExplained, type Devices } from './device/registry.ts';
import { iso } from './kernel/iso.ts';
import { type MapperStatus } from './mapper/status.ts';
import { explainSending } from './sync/explain.ts';
import { type CloudLink } from './sync/link.ts';
import { type TwinStore } from './twin/store.ts';

export interface WhyParts {
  readonly store: TwinStore;
  readonly devices: Pick<Devices, 'explain'>;
  readonly host: { status(): readonly MapperStatus[] };
  /** Absent without a cloud, and before it is known. */
  readonly link: () => Pick<CloudLink, 'look' | 'progress'> | undefined;
  readonly clock: Clock;
}

type Found = Finding<number>;

export function whyDoor(parts: WhyParts): ExplainDoor {
  return (device, property) => {
    const refused = parts.store.refused().get(device);
    if (parts.store.device(device) === undefined && refused === undefined) return undefined;
    return explain(parts, { device, property, refused });
  };
}

interface Asked {
  readonly device: Id;
  readonly property: string;
  /** Why this node does not run the device. */
  readonly refused: Reason | undefined;
}

function explain(parts: WhyParts, { device, property, refused }: Asked): Explanation {
  const { store, devices, clock } = parts;
  const { reported, desired } = store.twin(device)?.properties.get(property) ?? {};
  const known = devices.explain(device, property);
  const sending = explainRow(parts, device, property);
  const findings = [...local(parts, device, { known, refused }), ...sending.findings];
  const unit = unitOf(store, device, property);
  return {
    device,
    property,
    from: 'edge',
    now: iso(clock.now()),
    ...(unit !== undefined && { unit }),
    ...(reported && { reported: reportedOf(reported) }),
    findings: causesFirst(findings).map(shown),
    hops: [...hopsOf(known?.readMs, reported?.at), ...sending.hops],
    ...(desired && desired.value !== null && { order: orderOf(desired, known?.order) }),
  };
}

function unitOf(store: TwinStore, device: Id, property: string): string | undefined {
  return store.modelOf(device)?.spec.properties.find(({ name }) => name === property)?.unit;
}

/** What this node itself finds: the mapper first, for without it no device answers. */
function local(
  { store, host }: WhyParts,
  device: Id,
  { known, refused }: { known: DeviceExplained | undefined; refused: Reason | undefined },
): Found[] {
  if (refused !== undefined) {
    const todo = 'declare fewer devices or properties for this node, or move some to another';
    return [{ stage: 'manifest', effect: 'stops', ...refused, todo }];
  }
  const protocol = store.modelOf(device)?.spec.protocol;
  const status = host.status().find((mapper) => mapper.protocol === protocol);
  const mapper = status && mapperFinding(status);
  if (known === undefined) {
    const message = 'the device is known, and is being started';
    return [...(mapper ? [mapper] : []), { stage: 'device', effect: 'stops', message }];
  }
  if (mapper === undefined) return [known.finding];
  return known.finding.stage === 'mapper' ? [mapper] : [mapper, known.finding];
}

const TODO: Partial<Record<MapperStatus['state'], string>> = {
  shed: 'raise "memory.ceiling" in limpet.yaml, or its "importance"; see "limpet budget"',
  broken: 'mend the package as the reason says; it is looked at again when its files change',
  'crash-loop': 'see what it printed last: "limpet get mappers -o wide"; it is tried once a minute',
  unresponsive:
    'it is killed and started again; see what it printed last: "limpet get mappers -o wide"',
  restarting:
    'it is started again by itself; see what it printed last: "limpet get mappers -o wide"',
};

function mapperFinding({
  protocol,
  state,
  reason,
  sinceMs,
  restarts,
}: MapperStatus): Found | undefined {
  if (state === 'ready' || state === 'idle') return undefined;
  const why = reason === undefined ? '' : `: ${reason.message}`;
  const again = restarts === 0 ? '' : `, restarted ${restarts} times`;
  const todo = TODO[state];
  return {
    stage: 'mapper',
    effect: 'stops',
    ...(reason !== undefined && { code: reason.code }),
    message: `the mapper for ${protocol} is ${state}${again}${why}`,
    ...(todo !== undefined && { todo }),
    since: sinceMs,
  };
}

function explainRow(
  { store, link, clock }: WhyParts,
  device: Id,
  property: string,
): { readonly findings: readonly Found[]; readonly hops: readonly Hop[] } {
  const [row, cloud] = [store.sending(device, property), link()];
  if (cloud === undefined) return { findings: [], hops: [] };
  const { progress } = cloud;
  const { flying } = progress;
  const place = row?.place;
  const findings = explainSending({
    nowMs: clock.now(),
    link: cloud.look(),
    place,
    flyingMs: row && flying && row.seq <= flying.seq ? flying.sent : undefined,
  });
  if (row === undefined) return { findings, hops: [] };
  const { sent, acked } = progress.of(row.seq);
  const hops: Hop[] = sent === undefined ? [] : [{ hop: 'sent', at: iso(sent), by: true }];
  if (place === undefined && acked !== undefined) {
    hops.push({ hop: 'acknowledged', at: iso(acked), by: true });
  }
  return { findings, hops };
}

function hopsOf(readMs: number | undefined, reportedMs: number | undefined): Hop[] {
  const read: Hop[] = readMs === undefined ? [] : [{ hop: 'read', at: iso(readMs) }];
  return reportedMs === undefined ? read : [...read, { hop: 'reported', at: iso(reportedMs) }];
}

function orderOf(desired: Desired<number>, found: Found | undefined): OrderWhy {
  const { reason: _, ...order } = desiredOf(desired);
  return { ...order, ...(found && { finding: shown(found) }) };
}

/** What stops a value comes before what explains it; in each the order of the way. */
function causesFirst(findings: readonly Found[]): Found[] {
  const stops = findings.filter(({ effect }) => effect === 'stops');
  return [...stops, ...findings.filter(({ effect }) => effect === 'explains')];
}

function shown({ since, until, ...finding }: Found): Finding {
  return {
    ...finding,
    ...(since !== undefined && { since: iso(since) }),
    ...(until !== undefined && { until: iso(until) }),
  };
}
