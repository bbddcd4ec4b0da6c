/** What the twin store holds, as the resources that the API shows. Pure. */
import type { Json } from '@limpet/dmi';
import {
  type Desired,
  type Device,
  type DeviceStatus,
  type PropertyTwin,
  type Reported,
  type WantedResource,
} from '@limpet/dmi/manifest';
import { iso } from '../kernel/iso.ts';
import type { DeviceTwin } from '../twin/store.ts';

/** The document with what is desired, its status, and its version. */
export function showDevice(doc: Device, twin: DeviceTwin | undefined, version: number): Device {
  return {
    ...withOrders(doc, twin),
    metadata: { ...doc.metadata, resourceVersion: String(version) },
    status: statusOf(twin),
  };
}

/** The document with what is desired. */
function withOrders(doc: Device, twin: DeviceTwin | undefined): Device {
  const orders: [string, Json][] = [];
  for (const [name, { desired }] of twin?.properties ?? []) {
    if (desired !== undefined && desired.value !== null) orders.push([name, desired.value]);
  }
  if (orders.length === 0) return doc;
  return { ...doc, spec: { ...doc.spec, desired: Object.fromEntries(orders) } };
}

/** The document with its version and nothing else. */
export function showDocument<Doc extends WantedResource>(doc: Doc, version: number): Doc {
  return { ...doc, metadata: { ...doc.metadata, resourceVersion: String(version) } };
}

function statusOf(twin: DeviceTwin | undefined): DeviceStatus {
  const { state, reason, lastSeen } = twin?.condition ?? { state: 'connecting' as const };
  const shown = [...(twin?.properties ?? [])].map(([name, property]) => {
    return [name, twinOf(property)] as const;
  });
  return {
    state,
    ...(reason !== undefined && { reason }),
    ...(lastSeen !== undefined && { lastSeen: iso(lastSeen) }),
    // fromEntries makes own members, whatever a property is called.
    twin: Object.fromEntries(shown.filter(([, property]) => Object.keys(property).length > 0)),
  };
}

function twinOf({ reported, desired }: PropertyTwin<number>): PropertyTwin {
  return {
    ...(reported !== undefined && { reported: reportedOf(reported) }),
    ...(desired !== undefined && desired.value !== null && { desired: desiredOf(desired) }),
  };
}

export function reportedOf({ at, ...reported }: Reported<number>): Reported {
  return { ...reported, at: iso(at) };
}

export function desiredOf({ expires, stages, ...desired }: Desired<number>): Desired {
  const { accepted, stored, sent, confirmed } = stages;
  return {
    ...desired,
    ...(expires !== undefined && { expires: iso(expires) }),
    stages: {
      accepted: iso(accepted),
      ...(stored !== undefined && { stored: iso(stored) }),
      ...(sent !== undefined && { sent: iso(sent) }),
      ...(confirmed !== undefined && { confirmed: iso(confirmed) }),
    },
  };
}
