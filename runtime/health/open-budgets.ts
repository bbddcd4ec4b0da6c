/** The budgets of this machine, with what can be given up whatever else runs. */
import type { Clock, Log } from '@limpet/dmi';
import type { Scope } from '../kernel/scope.ts';
import { Budgets } from './budgets.ts';
import { garbage } from './collect.ts';
import { theseCgroups, thisMachine } from './machine.ts';
import type { MemoryWish } from './share.ts';

export function openBudgets(
  wish: MemoryWish,
  { clock, log, scope }: { readonly clock: Clock; readonly log: Log; readonly scope: Scope },
): Budgets {
  const machine = thisMachine();
  const budgets = new Budgets({ wish, machine, cgroups: theseCgroups(log), clock, log });
  scope.add(() => budgets.stop());
  budgets.sheds('caches', garbage());
  return budgets;
}
