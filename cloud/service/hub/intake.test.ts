import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Intake, type IntakeMember } from './intake.ts';

class Node implements IntakeMember {
  paused = false;
  held = 0;
  readonly #intake: Intake;

  constructor(intake: Intake) {
    this.#intake = intake;
    intake.join(this);
  }

  get busy(): boolean {
    return this.held > 0;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  say(bytes: number): void {
    this.held += bytes;
    this.#intake.took(bytes);
  }

  done(): void {
    const { held } = this;
    this.held = 0;
    this.#intake.gave(this, held);
  }
}

test('beyond the ceiling only those are read that have begun, and all again below half of it', () => {
  const intake = new Intake(100);
  const [first, second, third] = [new Node(intake), new Node(intake), new Node(intake)];
  first.say(60);
  assert.equal(third.paused, false);
  second.say(40);
  assert.deepEqual([first.paused, second.paused, third.paused], [false, false, true]);
  first.say(30);
  assert.deepEqual(intake.counts(), { bytes: 130, pauses: 1 });
  second.done();
  assert.deepEqual([first.paused, second.paused, third.paused], [false, true, true]);
  first.done();
  assert.deepEqual([first.paused, second.paused, third.paused], [false, false, false]);
  assert.deepEqual(intake.counts(), { bytes: 0, pauses: 1 });
});

test('who connects while too much is here waits like the others', () => {
  const intake = new Intake(100);
  const first = new Node(intake);
  first.say(100);
  const late = new Node(intake);
  assert.equal(late.paused, true);
  first.done();
  assert.equal(late.paused, false);
});

test('who leaves takes what it held along', () => {
  const intake = new Intake(100);
  const [first, second] = [new Node(intake), new Node(intake)];
  first.say(100);
  assert.equal(second.paused, true);
  intake.leave(first);
  first.done();
  assert.equal(second.paused, false);
  assert.equal(intake.counts().bytes, 0);
});
