/** A list whose items each have a name of their own. */
import * as v from 'valibot';
import { must } from './schema.ts';

export interface NamedList {
  /** What it is called: `properties`. */
  readonly what: string;
  readonly most: number;
  /** What to do about too many: `split the model`. */
  readonly advice: string;
}

/** At most `most` items; a name that stands twice is a fault of the second. */
export function namedList<Item extends v.GenericSchema>(
  item: Item,
  { what, most, advice }: NamedList,
): v.GenericSchema<unknown, v.InferOutput<Item>[]> {
  const schema = v.pipe(
    v.array(item, must(`a list of ${what}`)),
    v.maxLength(most, `must hold at most ${most} ${what}: ${advice}`),
    v.rawCheck(({ dataset, addIssue }) => {
      const input: unknown = dataset.value;
      if (!Array.isArray(input)) return;
      for (const [index, message] of duplicates(input, what)) {
        const value: unknown = input[index];
        const path = [
          { type: 'array' as const, origin: 'value' as const, input, key: index, value },
        ];
        addIssue({ message, path: path as [(typeof path)[0]] });
      }
    }),
    v.description(`a list of ${what}`),
  );
  return schema as unknown as ReturnType<typeof namedList<Item>>;
}

function* duplicates(list: readonly unknown[], what: string): Generator<readonly [number, string]> {
  const first = new Map<unknown, number>();
  for (const [index, item] of list.entries()) {
    const called =
      typeof item === 'object' && item !== null && 'name' in item ? item.name : undefined;
    if (typeof called !== 'string') continue;
    const earlier = first.get(called);
    if (earlier === undefined) first.set(called, index);
    else yield [index, `must have a name of its own: "${called}" is already ${what}[${earlier}]`];
  }
}
