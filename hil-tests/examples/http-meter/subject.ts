/** What the example cannot say to `limpet mapper test`: there is no second switch. */
export const subject = {
  refused: { path: '/rpc/Switch.GetStatus?id=7' },
  refusedWrite: {
    visitor: {
      path: '/rpc/Switch.GetStatus?id=7',
      set: { path: '/rpc/Switch.Set?id=7&on={}', method: 'GET' },
    },
    value: true,
  },
};
