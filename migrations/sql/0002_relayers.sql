-- Revision 0002, its part of many relayers: who runs, and what they ask of each other's sessions.

CREATE TABLE relayers (
    relayer TEXT COLLATE "C" NOT NULL,
    address TEXT NOT NULL,
    version TEXT NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    heartbeat_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    is_draining BOOLEAN DEFAULT false NOT NULL,
    revision BIGINT DEFAULT 1 NOT NULL,
    CONSTRAINT pk_relayers PRIMARY KEY (relayer),
    CONSTRAINT ck_relayers_relayer CHECK (relayer <> '')
);
COMMENT ON TABLE relayers IS 'Relayer processes by name; one that has not said so for long does not run.';

CREATE TABLE forwarded_requests (
    request_id BIGINT GENERATED ALWAYS AS IDENTITY,
    peer TEXT COLLATE "C" NOT NULL,
    kind TEXT NOT NULL,
    content BYTEA NOT NULL,
    asked_by TEXT NOT NULL,
    asked_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    epoch BIGINT,
    answered_at TIMESTAMP WITH TIME ZONE,
    answer BYTEA DEFAULT '' NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    detail TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_forwarded_requests PRIMARY KEY (request_id),
    CONSTRAINT ck_forwarded_requests_kind CHECK (kind IN ('REQUEST', 'EXECUTION', 'HEADER', 'HELLO')),
    CONSTRAINT ck_forwarded_requests_size CHECK (octet_length(content) <= 2097152 AND octet_length(answer) <= 2097152),
    CONSTRAINT ck_forwarded_requests_answer CHECK (answered_at IS NOT NULL OR (answer = '' AND reason = '')),
    CONSTRAINT fk_forwarded_requests_peer FOREIGN KEY (peer) REFERENCES peers (peer)
);
CREATE INDEX ix_forwarded_requests_peer ON forwarded_requests (peer);
CREATE INDEX ix_forwarded_requests_expires_at ON forwarded_requests (expires_at);
COMMENT ON TABLE forwarded_requests IS 'What one relayer needs of a session that another owns, until it has read the answer.';
