/** A pretend device for a mapper: what it is developed and tested against. */
import type { Duplex } from 'node:stream';
import type { Clock, Log, MaybeLater, MethodShape, PropertyShape } from './mapper.ts';
import type { Json, Value } from './value.ts';

/** One property that a simulated device shall have. */
export interface SimulatedProperty<Visitor> extends PropertyShape {
  readonly visitor: Visitor;
  /** What it holds at first. */
  readonly value: Value;
}

/** One method that a simulated device shall have. */
export interface SimulatedMethod<Visitor> extends MethodShape {
  readonly visitor: Visitor;
  /**
   * What it answers; runs once for each time that the device carries it out.
   * @throws Refused where the device says no
   */
  run(input: readonly Value[]): readonly Value[];
}

/** Makes simulated devices: the export `simulator` of a mapper's module, or of `simulator.ts` beside it. */
export interface Simulator<Settings, Visitor> {
  /** Takes as many wires as are dialled until it is closed. */
  simulate(
    device: {
      /** Its namespace and name, as `context.device` says it to the mapper; absent where it has none. */
      readonly device?: string;
      readonly settings: Settings;
      readonly properties: readonly SimulatedProperty<Visitor>[];
      readonly methods?: readonly SimulatedMethod<Visitor>[];
    },
    context: { readonly clock: Clock; readonly log: Log },
  ): MaybeLater<SimulatedDevice>;
}

/** A pretend device while it is served. What is written on one wire is still there on the next. */
export interface SimulatedDevice {
  /** Serves one wire that the mapper has dialled. Without it the mapper reaches {@link SimulatedDevice.address}. */
  accept?(wire: Duplex): void;
  /** `tcp://127.0.0.1:PORT`, where the mapper's library opens its own sockets. */
  readonly address?: string;
  /**
   * Settings with which the mapper reaches it through `address`, which may lead through something that harms it; laid
   * over those that the device was made with.
   */
  settings?(address: string): { readonly [key: string]: Json };
  /** What the device holds now. */
  get(property: string): Value;
  /** Changes it at the device, as its own hardware would. */
  set(property: string, value: Value): void;
  close(): MaybeLater<void>;
}

/** Identity, for inference: `export const simulator = defineSimulator({ … })`. */
export function defineSimulator<Settings, Visitor>(
  simulator: Simulator<Settings, Visitor>,
): Simulator<Settings, Visitor> {
  return simulator;
}
