-- Revision 0002. Everything is added; programs of revision 0001 go on beside it.

ALTER TABLE exceptions ADD COLUMN since TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL;

CREATE TABLE attempts (
    attempt_id BIGINT GENERATED ALWAYS AS IDENTITY,
    lane_id BIGINT NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    peer TEXT COLLATE "C" NOT NULL,
    kind TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT DEFAULT '' NOT NULL,
    sequences INT8MULTIRANGE DEFAULT '{}' NOT NULL,
    CONSTRAINT pk_attempts PRIMARY KEY (attempt_id),
    CONSTRAINT ck_attempts_kind CHECK (kind IN ('RETRY', 'PARKED', 'ASKED')),
    CONSTRAINT ck_attempts_reason CHECK ((kind = 'ASKED') = (reason = '')),
    CONSTRAINT ck_attempts_sequences CHECK (NOT isempty(sequences) AND lower(sequences) >= 1),
    CONSTRAINT fk_attempts_lane_id FOREIGN KEY (lane_id) REFERENCES lanes (lane_id)
);
CREATE INDEX ix_attempts_at ON attempts (at);
CREATE INDEX ix_attempts_lane_id_attempt_id ON attempts (lane_id, attempt_id);
COMMENT ON TABLE attempts IS 'Attempts that failed and retries that were asked for, of the last 30 days.';
