/** The core's questions about manifests, put to the mapper. */
import { type Mapper, type MaybeLater, Misconfigured } from '@limpet/dmi';
import { type Check, type Checked } from '../messages.ts';
import { packError } from '../packed.ts';

type AnyMapper = Mapper<unknown, unknown>;

export function checkAll(mapper: AnyMapper, checks: readonly Check[]): Promise<Checked[]> {
  return Promise.all(checks.map((check) => answer(mapper, check)));
}

/** @throws Misconfigured when they are wrong, which the core was told before */
export async function parsedSettings(mapper: AnyMapper, settings: unknown): Promise<unknown> {
  const result = await mapper.settings['~standard'].validate(settings);
  if (result.issues === undefined) return result.value;
  throw new Misconfigured('DEVICE_INVALID', 'the settings were right before, and are not now');
}

async function answer(mapper: AnyMapper, check: Check): Promise<Checked> {
  try {
    return await put(mapper, check);
  } catch (error) {
    return { e: packError(error) };
  }
}

async function put(mapper: AnyMapper, check: Check): Promise<Checked> {
  if (check.part === 'port') {
    return (await mapper.port?.(await parsedSettings(mapper, check.value))) ?? null;
  }
  const schema = check.part === 'settings' ? mapper.settings : mapper.visitor;
  const result = await schema['~standard'].validate(check.value);
  if (check.part === 'fits' || check.part === 'serves') {
    if (result.issues !== undefined) return 'the visitor is wrong';
    return (await misfit(mapper, result.value, check)) ?? null;
  }
  if (result.issues === undefined) return null;
  return result.issues.slice(0, 100).map(({ message, path = [] }) => ({
    message,
    path: path.slice(0, 32).map(keyOf),
  }));
}

function misfit(
  mapper: AnyMapper,
  visitor: unknown,
  check: Extract<Check, { part: 'fits' | 'serves' }>,
): MaybeLater<string | undefined> {
  return check.part === 'fits'
    ? mapper.fits?.(visitor, check.shape)
    : mapper.serves?.(visitor, check.shape);
}

function keyOf(step: PropertyKey | { readonly key: PropertyKey }): string | number {
  const key = typeof step === 'object' ? step.key : step;
  return typeof key === 'symbol' ? String(key) : key;
}
