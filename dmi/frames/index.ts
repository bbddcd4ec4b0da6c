/** `@limpet/dmi/frames`: for mappers whose devices speak frames of bytes, over TCP or a serial line. */
export { frameConnection, type FrameCodec } from './connection.ts';
export { answerFrames } from './answer.ts';
export { type FrameOptions, Frames, type FrameWire } from './frames.ts';
