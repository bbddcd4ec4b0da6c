/** What a person types at `limpet mapper dev` (pure). */

export type Typed =
  | { readonly kind: 'write' | 'device'; readonly name: string; readonly text: string }
  | { readonly kind: 'refuse'; readonly name: string }
  | { readonly kind: 'cut' | 'silence' | 'garble' | 'heal' | 'help' | 'quit' | 'nothing' }
  | { readonly kind: 'unknown'; readonly text: string };

export const HELP = [
  'NAME=VALUE           write it through the mapper',
  'device NAME=VALUE    change it at the device, as its own hardware would',
  'cut                  cut the wire, once',
  'silence              the device says nothing from now on',
  'garble               the device says nonsense from now on',
  'refuse NAME          the device has no such thing any more',
  'heal                 the device is well again',
  'quit                 (or Ctrl-C) end',
];

const WORDS = ['cut', 'silence', 'garble', 'heal', 'help', 'quit'] as const;

export function parseTyped(line: string): Typed {
  const text = line.trim();
  if (text === '') return { kind: 'nothing' };
  const word = WORDS.find((each) => each === text.toLowerCase());
  if (word !== undefined) return { kind: word };
  const [, device, name, value] = /^(device\s+)?([A-Za-z_][\w-]*)\s*=\s*(.*)$/s.exec(text) ?? [];
  if (name !== undefined && value !== undefined) {
    return { kind: device === undefined ? 'write' : 'device', name, text: value };
  }
  const [, refused] = /^refuse\s+([A-Za-z_][\w-]*)$/.exec(text) ?? [];
  return refused === undefined ? { kind: 'unknown', text } : { kind: 'refuse', name: refused };
}
