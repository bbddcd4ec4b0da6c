/** What this node tells when somebody asks: why a value is as it is, and what it is busy with. */
import { loadDoor, type LoadParts } from './load.ts';
import { type AskedDoors } from './sync/asked.ts';
import { type CloudLink } from './sync/link.ts';
import { whyDoor, type WhyParts } from './why.ts';

/** `linked`: once there is one. */
export function askedDoors(parts: Omit<WhyParts & LoadParts, 'link'>): {
  readonly doors: AskedDoors;
  readonly linked: (link: CloudLink) => void;
} {
  let known: CloudLink | undefined;
  const link = (): CloudLink | undefined => known;
  return {
    doors: { explain: whyDoor({ ...parts, link }), load: loadDoor({ ...parts, link }) },
    linked: (made) => void (known = made),
  };
}
