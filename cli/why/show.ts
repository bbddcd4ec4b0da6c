/** An explanation as people read it. Pure. */
import type { Explanation, Finding, Hop, OrderWhy } from '@limpet/dmi/manifest';
import { clean, type Tone, toned } from '../render/table.ts';
import { ageText, valueText } from '../render/words.ts';

const HOPS: Readonly<Record<Hop['hop'], string>> = {
  read: 'read from the device',
  reported: 'value as reported since',
  sent: 'sent to the cloud',
  acknowledged: 'on the disk of the cloud',
  mirrored: 'shown by the cloud',
};

/** Ages are counted by the clock of whoever answered. */
export function whyLines(why: Explanation, colour: boolean): string[] {
  const now = Date.parse(why.now);
  const tell = (text: string, tone: Tone): string => toned(clean(text), tone, colour);
  const [first, ...others] = why.findings;
  const lines = [`${why.device}.${why.property} = ${valueOf(why)}`];
  if (first !== undefined) lines.push('', ...findingLines(first, now, tell));
  for (const other of others) lines.push('', ...findingLines(other, now, tell));
  if (why.order !== undefined) lines.push('', ...orderLines(why.order, why, { now, tell }));
  if (why.hops.length > 0) lines.push('', ...why.hops.map((hop) => hopLine(hop, now)));
  if (why.from === 'cloud')
    lines.push('', 'Told by the cloud alone: the edge of the device did not tell.');
  return lines;
}

type Tell = (text: string, tone: Tone) => string;

function valueOf({ reported, unit }: Explanation): string {
  if (reported === undefined) return 'no value yet';
  const value = clean(valueText(reported.value));
  const shown = unit === undefined || value === '-' ? value : `${value} ${clean(unit)}`;
  return `${shown} (${reported.quality})`;
}

function findingLines(finding: Finding, now: number, tell: Tell): string[] {
  const { stage, effect, code, message, todo, since, until } = finding;
  const tone = effect === 'stops' ? 'bad' : stage === 'none' ? 'good' : 'warn';
  const title = stage === 'none' ? 'well' : stage;
  const times = [
    ...(since === undefined ? [] : [`since ${since} (${ageText(now - Date.parse(since))})`]),
    ...(until === undefined ? [] : [`until ${until} (in ${ageText(Date.parse(until) - now)})`]),
  ];
  return [
    `${tell(title.toUpperCase(), tone)}  ${clean(sentence(message))}${code === undefined ? '' : ` [${clean(code)}]`}`,
    ...(times.length === 0 ? [] : [`  ${times.join(', ')}`]),
    ...(todo === undefined ? [] : [`  What to do: ${clean(sentence(todo))}`]),
  ];
}

function orderLines(
  { value, verdict, stages, expires, finding }: OrderWhy,
  { unit }: Explanation,
  { now, tell }: { readonly now: number; readonly tell: Tell },
): string[] {
  const wanted = `${clean(valueText(value))}${unit === undefined ? '' : ` ${clean(unit)}`}`;
  const tone = verdict === 'applied' ? 'good' : verdict === 'pending' ? 'warn' : 'bad';
  const steps = (['accepted', 'stored', 'sent', 'confirmed'] as const).map((stage) => {
    const at = stages[stage];
    return at === undefined ? `${stage} -` : `${stage} ${ageText(now - Date.parse(at))} ago`;
  });
  const end = expires === undefined ? [] : [`runs out ${expires}`];
  return [
    `DESIRED ${wanted}: ${tell(verdict, tone)} (${[...steps, ...end].join(', ')})`,
    ...(finding === undefined ? [] : findingLines(finding, now, tell).map((line) => `  ${line}`)),
  ];
}

function hopLine({ hop, at, by }: Hop, now: number): string {
  const time = `${at}  ${ageText(now - Date.parse(at))} ago`;
  return `${HOPS[hop].padEnd(24)} ${time}${by === true ? ', or earlier' : ''}`;
}

/** Capitalised, with its full stop. */
function sentence(text: string): string {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.?!]$/.test(first) ? first : `${first}.`;
}
