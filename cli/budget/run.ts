/** `limpet budget`. */
import process from 'node:process';
import type { Node } from '@limpet/dmi/manifest';
import { withApi } from '../client.ts';
import { nodesOf } from '../nodes.ts';
import { type Output, processOutput } from '../output.ts';
import { layOut } from '../render/table.ts';
import type { BudgetOptions } from '../verbs/budget.ts';
import { afterword, budgetTable, heading } from './show.ts';

export async function runBudget(node: string | undefined, options: BudgetOptions): Promise<number> {
  return withApi(options, async (api) => {
    const output = processOutput(options.json === true);
    const nodes = await nodesOf(api, node);
    if (output.json) {
      const told = nodes.map(({ metadata, status }) => {
        return { node: metadata.name, state: status?.state, budget: status?.facts?.budget ?? null };
      });
      output.print(JSON.stringify({ items: told }, null, process.stdout.isTTY ? 2 : 0));
      return 0;
    }
    if (nodes.length === 0) output.note('No nodes.');
    for (const [index, each] of nodes.entries()) {
      if (index > 0) output.print('');
      show(each, output);
    }
    return 0;
  });
}

function show(node: Node, output: Output): void {
  const budget = node.status?.facts?.budget;
  if (budget === undefined) {
    output.print(`${node.metadata.name}: tells no budget; its edge is of an older version.`);
    return;
  }
  for (const line of heading(node, budget, Date.now())) output.print(line);
  for (const line of layOut(budgetTable(budget), { colour: output.colour })) output.print(line);
  for (const line of afterword(budget, Date.now())) output.print(line);
}
