/** Who wants to know of something, and until when. */
export class Emitter {
  #listeners = new Set();

  /** Calls `listener` from now on, until `signal` ends it. */
  subscribe(listener, signal) {
    if (signal?.aborted) return;
    this.#listeners.add(listener);
    signal?.addEventListener('abort', () => this.#listeners.delete(listener), { once: true });
  }

  emit(value) {
    for (const listener of [...this.#listeners]) listener(value);
  }
}
