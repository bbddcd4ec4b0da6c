/** The port that modbus-serial's client talks to: it hands over one RTU frame and gets the one that answers it. */
import { EventEmitter } from 'node:events';
import { encodeRtu } from './rtu.ts';
import type { Wire } from './wire.ts';

/**
 * modbus-serial sends and then takes the next `data` for the answer, be it one to an earlier request. So
 * it hears nothing that {@link Wire} has not matched; of a failure it hears nothing at all, and the
 * caller learns from the promise of `arm`.
 */
export class StrictPort extends EventEmitter {
  /** Read by modbus-serial before each request. */
  readonly isOpen = true;
  readonly #wire: Wire;
  #armed: { readonly signal: AbortSignal; readonly fail: (error: unknown) => void } | undefined;

  constructor(wire: Wire) {
    super();
    this.#wire = wire;
  }

  /** Allows one request. The promise only ever rejects, when that request fails. */
  arm(signal: AbortSignal): Promise<never> {
    const { promise, reject } = Promise.withResolvers<never>();
    this.#armed = { signal, fail: reject };
    return promise;
  }

  /** Called by modbus-serial. */
  open(opened: () => void): void {
    opened();
  }

  /** Called by modbus-serial with a whole RTU frame. */
  write(frame: Buffer): void {
    const armed = this.#armed;
    if (armed === undefined) throw new TypeError('a request without arm()');
    this.#armed = undefined;
    const unit = frame.readUInt8(0);
    this.#wire
      .exchange({ unit, pdu: frame.subarray(1, -2) }, armed.signal)
      .then((pdu) => this.emit('data', encodeRtu({ unit, pdu })), armed.fail);
  }
}
