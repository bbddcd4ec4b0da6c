/** How what edges name may be spelled. */

export const LABEL = '[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?';
/** `namespace/name` */
export const ID = new RegExp(`^${LABEL}/${LABEL}$`);
export const PROPERTY_NAME = /^[A-Za-z_][\w-]{0,62}$/;
