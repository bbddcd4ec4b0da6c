/** `@limpet/dmi/testing`: fakes for a mapper's tests, and the conformance run that every mapper passes. */
export { type FakeClock, fakeClock } from './clock.ts';
export { checkMapper, runConformance } from './conformance.ts';
export { type FakeContext, fakeContext, type Serve } from './context.ts';
export { type Example, exampleSubject, readExample, sampleValues } from './example.ts';
export { type Grade, grade } from './grade.ts';
export { type LogLine, recordingLog, type RecordingLog, silentLog } from './log.ts';
export {
  formatRecording,
  parseRecording,
  type RecordedEvent,
  type Recording,
  type RecordingHeader,
} from './recording.ts';
export { type Echo, type Replay, type ReplayOptions, replayWire } from './replay.ts';
export type { Assertion, Subject, SubjectHarm, SubjectItem, SubjectMethod } from './subject.ts';
