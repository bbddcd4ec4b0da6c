/** Ends soon after each connect. */
export function connect() {
  setTimeout(() => {
    throw new Error('out of coffee');
  }, 50);
}
