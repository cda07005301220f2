-- Processes that start together create the table one after the other. Run this in one transaction.
SELECT pg_advisory_xact_lock(7307502389427827310);
CREATE TABLE IF NOT EXISTS logto_sessions (
    key text PRIMARY KEY,
    version bigint NOT NULL,
    value bytea NOT NULL,
    subject text,
    provider_session text,
    expires_at bigint NOT NULL
);
CREATE INDEX IF NOT EXISTS logto_sessions_subject ON logto_sessions (subject);
CREATE INDEX IF NOT EXISTS logto_sessions_provider_session ON logto_sessions (provider_session);
CREATE INDEX IF NOT EXISTS logto_sessions_expires_at ON logto_sessions (expires_at);
