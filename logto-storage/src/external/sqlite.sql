CREATE TABLE IF NOT EXISTS logto_sessions (
    key TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    value BLOB NOT NULL,
    subject TEXT,
    provider_session TEXT,
    expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS logto_sessions_subject ON logto_sessions (subject);
CREATE INDEX IF NOT EXISTS logto_sessions_provider_session ON logto_sessions (provider_session);
CREATE INDEX IF NOT EXISTS logto_sessions_expires_at ON logto_sessions (expires_at);
