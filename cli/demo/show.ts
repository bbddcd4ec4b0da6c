/** How the demo tells what happens: redrawn on a terminal, appended to a file, or as lines of JSON. */
import process from 'node:process';
import type { Device } from '@limpet/dmi/manifest';
import type { Output } from '../output.ts';
import { Live, terminalScreen } from '../render/live.ts';
import { layOut } from '../render/table.ts';
import type { Addresses } from './house.ts';
import { demoTable, type Picture, type Tally, valueLines } from './picture.ts';

export interface Show {
  progress(text: string): void;
  ready(addresses: Addresses): void;
  changed(devices: readonly Device[], picture: Picture): void;
  /** Called about every second. */
  tick(picture: Picture): void;
  summary(tally: Tally, seconds: number): void;
}

const APPEND_EVERY_MS = 5000;

export function showFor(output: Output): Show {
  return output.json ? jsonShow(output) : textShow(output);
}

function jsonShow(output: Output): Show {
  const told = new Map<string, string>();
  return {
    progress: (text) => output.printJson({ event: 'progress', text }),
    ready: (addresses) => output.printJson({ event: 'ready', ...addresses }),
    changed(devices, { models }) {
      for (const device of devices) {
        for (const line of valueLines(device, models.get(device.spec.model))) {
          const key = `${line.device}.${line.property}`;
          const words = JSON.stringify(line);
          if (told.get(key) === words) continue;
          told.set(key, words);
          output.printJson({ event: 'value', ...line });
        }
      }
    },
    tick: () => {},
    summary: (tally, seconds) => output.printJson({ event: 'summary', seconds, ...tally }),
  };
}

function textShow(output: Output): Show {
  const live = output.terminal ? new Live(terminalScreen(process.stdout)) : undefined;
  let notes: string[] = [];
  let last = Number.NEGATIVE_INFINITY;
  const draw = (picture: Picture): void => {
    const table = demoTable(picture, Date.now());
    if (live !== undefined) {
      const lines = layOut(table, { colour: output.colour, columns: live.columns });
      return live.draw([...notes, '', ...lines, '', 'Ctrl-C stops everything.']);
    }
    if (performance.now() - last < APPEND_EVERY_MS) return;
    last = performance.now();
    for (const line of layOut(table, { colour: false })) output.print(line);
    output.print('');
  };
  return {
    progress: (text) => output.print(text),
    ready(addresses) {
      notes = introduction(addresses);
      if (live === undefined) for (const line of notes) output.print(line);
    },
    changed: (_devices, picture) => draw(picture),
    tick: draw,
    summary({ devices, online, properties, good }, seconds) {
      output.print(
        `${online} of ${devices} devices online, ${good} of ${properties} properties good after ${seconds} s.`,
      );
    },
  };
}

function introduction({ api, bus, config }: Addresses): string[] {
  const cloud = api === 'http://127.0.0.1:8440' ? '' : ` --cloud ${api}`;
  return [
    '',
    `API  ${api}/apis/limpet.dev/v1/devices`,
    `Bus  ${bus}  (limpet/default/+/twin/+)`,
    'Try, in another terminal:',
    `  npx limpet set boiler-1.setpoint 60 --wait confirmed${cloud}`,
    `  npx limpet get device boiler-1 -w${cloud}`,
    `  npx limpet get devices --edge ${config}`,
  ];
}
