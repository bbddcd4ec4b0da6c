/** Text with one `{}` in it for a value: pure, both ways. */

/** What stands at `{}` in a text made by this template, without blanks around it; `undefined` when the rest differs. */
export function between(template: string, text: string): string | undefined {
  const [before = '', after = ''] = template.split('{}');
  const [head, tail] = [before.trimStart(), after.trimEnd()];
  const fits =
    text.length >= head.length + tail.length && text.startsWith(head) && text.endsWith(tail);
  return fits ? text.slice(head.length, text.length - tail.length).trim() : undefined;
}

/** The template with a value in it. */
export function filled(template: string, value: string): string {
  const [before = '', after = ''] = template.split('{}');
  return before + value + after;
}
