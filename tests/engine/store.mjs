/// For this long a consumed refresh token still works, and each use starts the time anew.
const REUSE_LEEWAY_MS = 3000;

/// Everything the provider remembers, one table per model. It outlives the provider, which is built anew
/// when the keys rotate.
export class Store {
  #tables = new Map();

  table(model) {
    if (!this.#tables.has(model)) {
      this.#tables.set(model, new Table(model));
    }
    return this.#tables.get(model);
  }
}

/// oidc-provider's adapter interface. Rows are never evicted: the provider checks `exp` itself.
class Table {
  #rows = new Map();
  #leeway;

  constructor(model) {
    this.#leeway = model === 'RefreshToken' ? REUSE_LEEWAY_MS : -1;
  }

  /// All rows as `[id, payload]`, with `consumed` as the provider would see it.
  entries() {
    return [...this.#rows].map(([id, row]) => [id, this.#view(row)]);
  }

  async upsert(id, payload) {
    this.#rows.set(id, { payload, consumedAt: this.#rows.get(id)?.consumedAt });
  }

  async find(id) {
    const row = this.#rows.get(id);
    return row && this.#view(row);
  }

  async findByUid(uid) {
    return this.#findBy('uid', uid);
  }

  async findByUserCode(userCode) {
    return this.#findBy('userCode', userCode);
  }

  async consume(id) {
    this.#rows.get(id).consumedAt = Date.now();
  }

  async destroy(id) {
    this.#rows.delete(id);
  }

  async revokeByGrantId(grantId) {
    for (const [id, { payload }] of this.#rows) {
      if (payload.grantId === grantId) this.#rows.delete(id);
    }
  }

  #findBy(key, value) {
    for (const row of this.#rows.values()) {
      if (row.payload[key] === value) return this.#view(row);
    }
    return undefined;
  }

  #view({ payload, consumedAt }) {
    const consumed = consumedAt !== undefined && Date.now() - consumedAt > this.#leeway;
    return consumed ? { ...payload, consumed } : payload;
  }
}
