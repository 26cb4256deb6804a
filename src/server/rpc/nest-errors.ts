/** What Nest's exception handler answers to an error that it did not expect, after it has logged it with its stack. */
export const INTERNAL_ERROR = Object.freeze({ status: 'error', message: 'Internal server error' });

/** Whether an error is that answer: Nest, or a filter in its place, has logged what led to it. */
export function isLoggedByNest(error: unknown): boolean {
  try {
    const { status, message } = (error ?? {}) as { readonly status?: unknown; readonly message?: unknown };
    return (
      status === INTERNAL_ERROR.status && message === INTERNAL_ERROR.message && !(error instanceof Error)
    );
  } catch {
    return false; // nothing of it can be read
  }
}
