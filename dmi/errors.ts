/**
 * What went wrong decides what happens next, so there is one class per *reaction*, never one per
 * cause. The runtime branches on the class; people read `message`; tools match on `code`. `name` is a class's own word,
 * not what its function is called: a minified copy of the DMI must be recognised too.
 */
export abstract class DmiError extends Error {
  /** Stable, listed in the README of the folder that throws it, never reused: `MODBUS_EXCEPTION_2`. */
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The device cannot be reached. The runtime reconnects with backoff. */
export class Unreachable extends DmiError {
  static {
    this.prototype.name = 'Unreachable';
  }
}

/** The device answered, and said no. The property goes bad; the connection stays. */
export class Refused extends DmiError {
  static {
    this.prototype.name = 'Refused';
  }
}

/** The device answered nonsense. The runtime drops the connection and its port, and starts afresh. */
export class Garbled extends DmiError {
  static {
    this.prototype.name = 'Garbled';
  }
}

/** What was asked can never work as configured. Not retried until the manifest changes. */
export class Misconfigured extends DmiError {
  static {
    this.prototype.name = 'Misconfigured';
  }
}
