/** The manifests: Kubernetes-shaped resources, as users write them and as the API shows them. */
import type { Json, PropertyType } from '../value.ts';
import type { RolloutSpec, RolloutStatus } from './rollout.ts';
import type { DeviceStatus, NodeStatus } from './status.ts';

export const API_VERSION = 'limpet.dev/v1';

export interface Metadata {
  readonly name: string;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Set by the server; ignored in what a user applies. */
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly creationTimestamp?: string;
  readonly managedFields?: readonly FieldOwner[];
}

/** Which fields one writer has set, as Kubernetes' server-side apply keeps it. */
export interface FieldOwner {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  /** RFC 3339. */
  readonly time?: string;
  readonly fieldsType: 'FieldsV1';
  readonly fieldsV1: { readonly [key: string]: Json };
}

export interface Property {
  readonly name: string;
  readonly type: PropertyType;
  /** Default `read`. */
  readonly access?: 'read' | 'readWrite';
  readonly description?: string;
  /** UCUM code: `Cel`, `kW`, `%`. */
  readonly unit?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  /** Sampling period, a duration like `500ms`, `2s`, `1m`. Default `1s`. */
  readonly every?: string;
  /** A number that moved less than this, in the property's unit, since the last report is not reported. */
  readonly deadband?: number;
  /**
   * What is reported is kept on the edge for as long as its ring reaches: all of it, or, with `every`, no value that
   * stood for less, like `10s`.
   */
  readonly history?: true | { readonly every: string };
  /** Where the value lives on the wire; checked by the mapper of the model's protocol. */
  readonly visitor: { readonly [key: string]: Json };
}

/** Something that a device can be told to do at once. A call is never stored: it is answered, or fails. */
export interface Method {
  readonly name: string;
  readonly description?: string;
  readonly input?: readonly MethodArgument[];
  readonly output?: readonly MethodArgument[];
  /** Where the method lives on the wire; checked by the mapper of the model's protocol. */
  readonly visitor: { readonly [key: string]: Json };
}

/** One value that goes into a method, or comes out of it. */
export interface MethodArgument {
  readonly name: string;
  readonly type: PropertyType;
  readonly description?: string;
  /** UCUM code: `Cel`, `kW`, `%`. */
  readonly unit?: string;
}

export interface DeviceModel {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: 'DeviceModel';
  readonly metadata: Metadata;
  readonly spec: {
    readonly protocol: string;
    readonly description?: string;
    readonly properties: readonly Property[];
    readonly methods?: readonly Method[];
  };
}

export interface Device {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: 'Device';
  readonly metadata: Metadata;
  readonly spec: {
    /** Name of a DeviceModel in the same namespace. */
    readonly model: string;
    /** Name of the node whose edge runs this device. */
    readonly node: string;
    readonly description?: string;
    /** How the device is reached; checked by the mapper. */
    readonly settings: { readonly [key: string]: Json };
    /** What properties should be. Kept apart from the rest inside Limpet: each value has its own rev. */
    readonly desired?: { readonly [property: string]: Json };
  };
  readonly status?: DeviceStatus;
}

export interface Node {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: 'Node';
  readonly metadata: Metadata;
  readonly spec: { readonly description?: string };
  readonly status?: NodeStatus;
}

export interface Rollout {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: 'Rollout';
  readonly metadata: Metadata;
  readonly spec: RolloutSpec;
  readonly status?: RolloutStatus;
}

export type Resource = DeviceModel | Device | Node | Rollout;
export type Kind = Resource['kind'];
