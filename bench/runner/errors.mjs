/** Something the person at the keyboard can mend: printed as its message alone, without a stack. */
export class BenchError extends Error {}
