/** How a device speaks lines: one declaration for the client and for the simulator. */
import type { Encoding } from './framing.ts';

/** All of it may be left out. */
export interface LineWire {
  /** Ends each line in both directions; default a line feed. Blanks and carriage returns around an answer do not count. */
  readonly end?: string;
  /** Ends answers, where the device uses something else than it is sent. */
  readonly answerEnd?: string;
  /** Default `utf8`. */
  readonly encoding?: Encoding;
  /** An answer that begins so says no: `ERR`. */
  readonly refused?: string;
  /** What the device answers to a line that sets something: `OK`. Without it such lines are not answered. */
  readonly ack?: string;
  /** Between the fields of an answer with several; default a comma. */
  readonly separator?: string;
}

/** How the client behaves beside that. */
export interface LineOptions extends LineWire {
  /** How long an answer may take; default 1000. */
  readonly timeoutMs?: number;
  /** The longest line that is taken, in bytes; default 4096. */
  readonly maxBytes?: number;
  /** How long the device is left alone before each line, for those that need it; default 0. */
  readonly pauseMs?: number;
  /** How long the wire must be silent before it is trusted again after an answer that never came; default 200. */
  readonly quietMs?: number;
  /**
   * Only for a device that also talks by itself: whether a line is an answer. The others go to {@link Line.heard};
   * a device that is never asked, such as a GPS receiver, says `() => false`.
   */
  readonly isAnswer?: (line: string) => boolean;
}

export type Settled = Required<Omit<LineOptions, 'refused' | 'ack' | 'isAnswer'>> &
  Pick<LineOptions, 'refused' | 'ack' | 'isAnswer'>;

/** With every default made explicit. */
export function settled(options: LineOptions): Settled {
  const { end = '\n', answerEnd = end, isAnswer, refused, ack } = options;
  return {
    end,
    answerEnd,
    encoding: options.encoding ?? 'utf8',
    separator: options.separator ?? ',',
    timeoutMs: options.timeoutMs ?? 1000,
    maxBytes: options.maxBytes ?? 4096,
    pauseMs: options.pauseMs ?? 0,
    quietMs: options.quietMs ?? 200,
    ...(isAnswer && { isAnswer }),
    ...(refused !== undefined && { refused }),
    ...(ack !== undefined && { ack }),
  };
}
