/** One conformance run: a mapper, its subject, and the simulated device that its promises share. */
import type { Mapper } from '../mapper.ts';
import { Stage } from './stage.ts';
import type { Subject } from './subject.ts';

export class Trial {
  readonly mapper: Mapper<unknown, unknown>;
  readonly subject: Subject;
  /** What was in use after each third of the random faults, and after more of them where it grew; empty where none were tried. */
  held: readonly number[] = [];
  /** By how much it may grow from one to the next. */
  allowed = 0;
  #stage: Promise<Stage> | undefined;

  constructor(mapper: Mapper<unknown, unknown>, subject: Subject) {
    this.mapper = mapper;
    this.subject = subject;
  }

  /** Made when the first promise needs it. */
  stage(): Promise<Stage> {
    this.#stage ??= Stage.open(this.mapper, this.subject);
    return this.#stage;
  }

  async close(): Promise<void> {
    const stage = await this.#stage?.catch(() => undefined);
    await stage?.close();
  }
}
