/**
 * How much of what edges say may be here at once and not yet on the disk. A thousand nodes that come back together each
 * have a page to tell; read all at once they would fill the memory. Beyond the ceiling connections are not read, so
 * that the rest waits in their sockets, and at last at the edges; whoever has begun to say something may end it, or
 * nothing would ever be let go again. Below half of it all are read again.
 */
export interface IntakeMember {
  /** Something of it is here that counts. */
  readonly busy: boolean;
  /** Reads nothing until `resume`. Safe to call twice, like `resume`. */
  pause(): void;
  resume(): void;
}

/** As text; parsed it is about five times as much. */
const MOST_BYTES = 16 * 1024 * 1024;

export class Intake {
  readonly #most: number;
  readonly #members = new Set<IntakeMember>();
  #bytes = 0;
  #full = false;
  #pauses = 0;

  constructor(mostBytes = MOST_BYTES) {
    this.#most = mostBytes;
  }

  /** What is here now, and how often that was too much. */
  counts(): { readonly bytes: number; readonly pauses: number } {
    return { bytes: this.#bytes, pauses: this.#pauses };
  }

  join(member: IntakeMember): void {
    this.#members.add(member);
    if (this.#full) member.pause();
  }

  leave(member: IntakeMember): void {
    this.#members.delete(member);
  }

  /** So many bytes were read of a member, which is busy. */
  took(bytes: number): void {
    this.#bytes += bytes;
    if (this.#full || this.#bytes < this.#most) return;
    this.#full = true;
    this.#pauses++;
    for (const member of this.#members) if (!member.busy) member.pause();
  }

  /** So many bytes of a member are done with; it is not busy any more. */
  gave(member: IntakeMember, bytes: number): void {
    this.#bytes -= bytes;
    if (!this.#full) return;
    if (this.#bytes > this.#most / 2) return member.pause();
    this.#full = false;
    for (const each of this.#members) each.resume();
  }
}
