/** What a mapper finds when a person asks what there is: `limpet discover PROTOCOL [WHERE]`. */
import type { Method, Property } from './manifest/resource.ts';
import type { Json } from './value.ts';

/** Where to look, and with what. */
export interface Search {
  /** An address as the person typed it, e.g. `opc.tcp://10.0.0.5:4840`; without one: wherever the protocol can look. */
  readonly where?: string;
  /** Settings for it as a device would have them, unchecked and perhaps incomplete: user names, security, line speed. */
  readonly settings: { readonly [key: string]: Json };
}

/** One thing that was found. */
export interface Found {
  /** Fit for `metadata.name`: lower case letters, digits and `-`, at most 63. */
  readonly name: string;
  /** One line for a person: maker, kind, strength of signal. */
  readonly about: string;
  /** What a Device says to reach it. */
  readonly settings: { readonly [key: string]: Json };
  /** What it is by its own account, where it tells. */
  readonly model?: SuggestedModel;
}

/** A DeviceModel as the device tells it. */
export interface SuggestedModel {
  readonly description?: string;
  readonly properties: readonly Suggested<Property>[];
  readonly methods?: readonly Suggested<Method>[];
}

/** With `path`, the names above it in the device's own tree, outermost first: for the eye, not in the model. */
export type Suggested<Item> = Item & { readonly path?: readonly string[] };
