/** Registers that never rest. */
import type { Registers } from '../rig/registers.ts';

/** Every register of every unit moves between two polls of 1 Hz, until what is returned is called. */
export function changeAll(registers: Registers, units: number, perUnit: number): () => void {
  let round = 0;
  const timer = setInterval(() => {
    round++;
    for (let unit = 1; unit <= units; unit++) {
      const bank = registers.input(unit);
      for (let i = 0; i < perUnit; i++) bank[i] = (round * 7 + i) % 65_536;
    }
  }, 500);
  return () => clearInterval(timer);
}
