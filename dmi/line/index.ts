/** `@limpet/dmi/line`: for mappers whose devices speak lines of text, over TCP or a serial line. */
export { lineConnection } from './connection.ts';
export type { Encoding } from './framing.ts';
export { Line } from './line.ts';
export { answerLines, lineSimulator } from './simulator.ts';
export { decodeLine, encodeLine, lineFits, type LineVisitor, lineVisitor } from './visitor.ts';
export type { LineOptions, LineWire } from './wire.ts';
