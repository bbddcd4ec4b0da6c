/** Never gives its thread back. */
export function act() {
  for (;;);
}
