/** `limpet get -w`: goes on showing, over lost connections, until stopped. */
import process from 'node:process';
import type { Resource } from '@limpet/dmi/manifest';
import type { Api } from '../api.ts';
import { explain } from '../cli-error.ts';
import { follow, keyOf, type Seen } from '../follow.ts';
import type { Output } from '../output.ts';
import { Live, terminalScreen } from '../render/live.ts';
import { layOut, type Table, widthsOf } from '../render/table.ts';
import { stopSignal } from '../stop.ts';
import { formOf, type Question } from './run.ts';
import { caption, type Form, tableOf } from './show.ts';

/** Shows a change, or on a terminal the whole picture with ages moving on. */
interface View {
  show(changes: readonly Seen[], all: readonly Resource[], form: Form): void;
  end(): void;
}

export async function watchAndShow(api: Api, asked: Question, output: Output): Promise<number> {
  const { signal } = stopSignal();
  const all = new Map<string, Resource>();
  const view = await viewFor(asked, output);
  let form: Form | undefined;
  let lost = false;
  try {
    for await (const step of follow(api, asked.query, { signal })) {
      if (step.kind === 'lost') {
        if (!lost) output.note(`Connection lost (${explain(step.error).message}); trying again.`);
        lost = true;
        continue;
      }
      if (lost) output.note('Connected again.');
      lost = false;
      const changes = step.kind === 'list' ? step.changes : [step.change];
      for (const { type, object } of changes) {
        if (type === 'DELETED') all.delete(keyOf(object));
        else all.set(keyOf(object), object);
      }
      form ??= await formOf(api, asked, all.values().next().value);
      view.show(changes, [...all.values()], form);
    }
  } finally {
    view.end();
  }
  return 0;
}

async function viewFor({ form }: Question, output: Output): Promise<View> {
  if (form === 'json') return documents((seen) => output.printJson(seen));
  if (form === 'yaml') {
    const { stringify } = await import('yaml');
    return documents((seen) => output.print(`---\n${stringify(seen).trimEnd()}`));
  }
  return output.terminal ? redrawn(output) : appended(output);
}

function documents(print: (seen: Seen) => void): View {
  return { show: (changes) => changes.forEach(print), end: () => {} };
}

function redrawn(output: Output): View {
  const live = new Live(terminalScreen(process.stdout));
  let latest: (() => void) | undefined;
  const timer = setInterval(() => latest?.(), 1000);
  return {
    show(_changes, all, form) {
      latest = () => {
        const table = tableOf(all, form, Date.now());
        const lines = layOut(table, { colour: output.colour, columns: live.columns });
        live.draw([...caption(all, form), ...lines]);
      };
      latest();
    },
    end: () => clearInterval(timer),
  };
}

/** For logs and pipes: what changed, below one head. Of a twin only the rows that changed. */
function appended(output: Output): View {
  let widths: number[] | undefined;
  const printed = new Map<string, string>();
  const print = (table: Table): void => {
    const headless = widths !== undefined;
    widths ??= widthsOf(table);
    for (const line of layOut(table, { colour: false, widths, headless })) output.print(line);
  };
  return {
    show(changes, _all, form) {
      const present = changes.filter(({ type }) => type !== 'DELETED').map(({ object }) => object);
      for (const { type, object } of changes) {
        if (type === 'DELETED') output.note(`${object.kind} ${object.metadata.name} deleted`);
      }
      if (present.length === 0) return;
      const table = tableOf(present, form, Date.now());
      print(form.twin ? { ...table, rows: changedRows(table, printed) } : table);
    },
    end: () => {},
  };
}

/** Rows that differ from what was printed of the same property; its age alone is no difference. */
function changedRows({ head, rows }: Table, printed: Map<string, string>): Table['rows'] {
  const age = head.indexOf('AGE');
  return rows.filter((row) => {
    const name = row[0]?.text ?? '';
    const words = row.map(({ text }, index) => (index === age ? '' : text)).join('\t');
    const news = printed.get(name) !== words;
    printed.set(name, words);
    return news;
  });
}
