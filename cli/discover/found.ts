/** Whether what a mapper says it found is that, as far as its outside goes (pure): nothing is taken on trust. */
import type { Found, Json, SuggestedModel } from '@limpet/dmi';
import { isJson } from '@limpet/dmi/manifest';

const MAX_ABOUT = 200;
const MAX_SETTINGS_BYTES = 65_536;

/** @throws TypeError */
export function checkFound(found: unknown): Found {
  const { name, about, settings, model } = (found ?? {}) as Partial<Record<keyof Found, unknown>>;
  if (typeof name !== 'string' || typeof about !== 'string') {
    throw new TypeError('it has no name, or does not say what it is');
  }
  if (!isObject(settings) || !isJson(settings, MAX_SETTINGS_BYTES)) {
    throw new TypeError('its settings are no JSON object');
  }
  return {
    name,
    about: about.replaceAll(/[\p{Cc}\s]+/gu, ' ').slice(0, MAX_ABOUT),
    settings: settings as { readonly [key: string]: Json },
    ...(model !== undefined && { model: checkModel(model) }),
  };
}

function checkModel(model: unknown): SuggestedModel {
  const { description, properties, methods = [] } = isObject(model) ? model : {};
  for (const list of [properties, methods]) {
    if (Array.isArray(list) && list.every(isObject)) continue;
    throw new TypeError('its model has no list of properties, or of methods');
  }
  return {
    ...(typeof description === 'string' && { description }),
    properties: properties as SuggestedModel['properties'],
    methods: methods as NonNullable<SuggestedModel['methods']>,
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
