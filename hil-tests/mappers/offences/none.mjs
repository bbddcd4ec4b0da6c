/** Does no harm. */
export {};
