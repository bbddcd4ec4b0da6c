/** Rows that come, change and go: a table redrawn in place, a line per change, or JSON lines. */
import process from 'node:process';
import type { HeldRows, RowChange } from '../../cloud/protocol/api/held-rows.ts';
import type { Output } from '../output.ts';
import { cellsOf, headOf, recordOf } from '../query/table.ts';
import { Live, type Screen, terminalScreen } from '../render/live.ts';
import { cell, layOut, type Table, type Tone, widthsOf } from '../render/table.ts';

export interface View {
  /** `level`: with it the rows are all there are. */
  show(changes: readonly RowChange[], level: boolean): void;
  end(): void;
}

const TONES = { enter: 'good', update: 'plain', leave: 'warn' } as const satisfies Record<
  RowChange['type'],
  Tone
>;
/** How often a terminal is drawn at most. */
const DRAW_MS = 100;

export function viewOf(output: Output, held: HeldRows): View {
  if (output.json) return asJson(output, held);
  if (output.terminal) return redrawn(terminalScreen(process.stdout), held, output.colour);
  return appended(output, held);
}

function asJson(output: Output, held: HeldRows): View {
  return {
    show: (changes) => {
      for (const change of changes) {
        const { type, key } = change;
        const row = type === 'leave' ? undefined : recordOf(held.columns, change.row);
        output.printJson({ type, key, ...(row && { row }) });
      }
    },
    end: () => {},
  };
}

/** The rows as they are, at most ten times a second. */
export function redrawn(screen: Screen, held: HeldRows, colour: boolean): View {
  const live = new Live(screen);
  let timer: NodeJS.Timeout | undefined;
  const draw = (): void => {
    timer = undefined;
    const rows = [...held.rows()].map(({ row }) => cellsOf(held.columns, row));
    const table: Table = { head: headOf(held.columns), rows };
    const count = `${rows.length} ${rows.length === 1 ? 'row' : 'rows'}`;
    live.draw([count, '', ...layOut(table, { colour, columns: live.columns })]);
  };
  let known = false;
  return {
    show: (changes, level) => {
      // Not before all that is there has come once.
      known ||= level;
      if (known && (level || changes.length > 0)) timer ??= setTimeout(draw, DRAW_MS);
    },
    end: () => {
      if (timer === undefined) return;
      clearTimeout(timer);
      draw();
    },
  };
}

/** Below one head, whose columns are as wide as the first rows need. */
function appended(output: Output, held: HeldRows): View {
  let head = '';
  let widths: readonly number[] | undefined;
  return {
    show: (changes) => {
      if (changes.length === 0) return;
      const rows = changes.map((change) => {
        const row = change.type === 'leave' ? change.was : change.row;
        return [cell(change.type, TONES[change.type]), ...cellsOf(held.columns, row)];
      });
      const table = { head: ['event', ...headOf(held.columns)], rows };
      const same = table.head.join('\t') === head;
      head = table.head.join('\t');
      widths = same ? widths : widthsOf(table).map((width, index) => (index === 0 ? 6 : width));
      const options = { colour: false, headless: same, ...(widths && { widths }) };
      for (const line of layOut(table, options)) output.print(line);
    },
    end: () => {},
  };
}
