/** What a device's exception code means, and how Limpet reacts. MODBUS application protocol V1.1b3, §7. */
import { type DmiError, Refused, Unreachable } from '@limpet/dmi';

/** The device accepted the request and takes its time. */
export const ACKNOWLEDGE = 5;
/** The device cannot answer now. */
export const BUSY = 6;
/** No such function. */
export const ILLEGAL_FUNCTION = 1;
/** A register that the device does not have, or more of them than it gives at once. */
export const ILLEGAL_RANGE: ReadonlySet<number> = new Set([2, 3]);

const MEANINGS: Readonly<Record<number, string>> = {
  1: 'illegal function: the device does not know this kind of access',
  2: 'illegal address: the device has no such register',
  3: 'illegal value: the device does not take this value or count',
  4: 'the device failed while doing it',
  5: 'acknowledged: the device is still at it',
  6: 'the device is busy',
  7: 'the device declined',
  8: 'a parity error in the memory of the device',
  9: 'an exception that the specification does not define',
  10: 'the gateway has no path to the device: check the unit and the gateway',
  11: 'the device did not answer the gateway',
};

/** A reply of the device that says no. */
export class ModbusException extends Error {
  readonly exception: number;

  constructor(exception: number, options?: ErrorOptions) {
    super(`exception ${exception}`, options);
    this.name = 'ModbusException';
    this.exception = exception;
  }

  /** As an error of the DMI: from a gateway the whole device is lost, from a device one register. */
  reaction(where: string): DmiError {
    const meaning =
      MEANINGS[this.exception] ?? 'an exception that only the manufacturer can explain';
    const Reaction = this.exception === 10 || this.exception === 11 ? Unreachable : Refused;
    return new Reaction(`MODBUS_EXCEPTION_${this.exception}`, `${where}: ${meaning}`, {
      cause: this,
    });
  }
}
