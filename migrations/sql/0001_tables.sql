-- Tables of revision 0001. hub/registry/tables says the same in SQLAlchemy; tests/migrations compares.

CREATE FUNCTION range_count(set int8multirange) RETURNS integer
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS 'SELECT count(*)::integer FROM unnest(set)';
COMMENT ON FUNCTION range_count IS 'How many ranges a set has.';

CREATE TABLE audit_events (
    event_id BIGINT GENERATED ALWAYS AS IDENTITY,
    at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    identity TEXT NOT NULL,
    request_id TEXT DEFAULT '' NOT NULL,
    action TEXT NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    detail TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_audit_events PRIMARY KEY (event_id),
    CONSTRAINT ck_audit_events_identity CHECK (identity <> '')
);
CREATE INDEX ix_audit_events_subject_revision ON audit_events (subject, revision);
COMMENT ON TABLE audit_events IS 'Every change by a person or an opening, written in the change''s own transaction.';

CREATE TABLE outcomes (
    day DATE NOT NULL,
    lane_id BIGINT NOT NULL,
    outcome_index BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    proof_id BIGINT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    kind TEXT NOT NULL,
    content BYTEA NOT NULL,
    CONSTRAINT pk_outcomes PRIMARY KEY (lane_id, outcome_index, day),
    CONSTRAINT ck_outcomes_kind CHECK (kind IN ('ACKNOWLEDGEMENT', 'ABSENCE', 'SETTLED_ELSEWHERE')),
    CONSTRAINT ck_outcomes_numbers CHECK (outcome_index >= 0 AND sequence >= 1),
    CONSTRAINT ck_outcomes_content CHECK ((kind = 'ACKNOWLEDGEMENT') = (content <> ''))
) PARTITION BY RANGE (day);
CREATE INDEX ix_outcomes_lane_id_sequence ON outcomes (lane_id, sequence);
COMMENT ON TABLE outcomes IS 'How packets ended, under one dense index for each lane.';

CREATE TABLE packets (
    day DATE NOT NULL,
    lane_id BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    timeout_timestamp BIGINT NOT NULL,
    proof_id BIGINT NOT NULL,
    accepted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    content BYTEA NOT NULL,
    denial TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_packets PRIMARY KEY (lane_id, sequence, day),
    CONSTRAINT ck_packets_numbers CHECK (sequence >= 1 AND timeout_timestamp >= 1),
    CONSTRAINT ck_packets_content CHECK (content <> '')
) PARTITION BY RANGE (day);
COMMENT ON TABLE packets IS 'Accepted packets, as raw canonical bytes.';

CREATE TABLE peers (
    peer TEXT COLLATE "C" NOT NULL,
    display_name TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    revision BIGINT DEFAULT 1 NOT NULL,
    CONSTRAINT pk_peers PRIMARY KEY (peer),
    CONSTRAINT ck_peers_state CHECK (state IN ('PROPOSED', 'ACTIVE', 'SUSPENDED', 'RETIRED'))
);
COMMENT ON TABLE peers IS 'City chains that take part.';

CREATE SEQUENCE proof_ids;

CREATE TABLE proofs (
    day DATE NOT NULL,
    proof_id BIGINT NOT NULL,
    lane_id BIGINT NOT NULL,
    side TEXT COLLATE "C" NOT NULL,
    epoch BIGINT NOT NULL,
    gate BIGINT NOT NULL,
    height BIGINT NOT NULL,
    leaf_count INTEGER NOT NULL,
    skipped BYTEA NOT NULL,
    content BYTEA NOT NULL,
    CONSTRAINT pk_proofs PRIMARY KEY (proof_id, day),
    CONSTRAINT ck_proofs_side CHECK (side IN ('SOURCE', 'DESTINATION')),
    CONSTRAINT ck_proofs_numbers CHECK (height >= 1 AND leaf_count >= 1),
    CONSTRAINT ck_proofs_content CHECK (content <> '')
) PARTITION BY RANGE (day);
COMMENT ON TABLE proofs IS 'Proofs, once for each frame.';

CREATE TABLE requests (
    identity TEXT COLLATE "C" NOT NULL,
    request_id TEXT COLLATE "C" NOT NULL,
    digest BYTEA NOT NULL,
    result TEXT DEFAULT '' NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_requests PRIMARY KEY (identity, request_id),
    CONSTRAINT ck_requests_request_id CHECK (request_id <> '')
);
COMMENT ON TABLE requests IS 'Request ids of the last 24 hours, so that a repeated request is one.';

CREATE TABLE schema_floor (
    revision TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_schema_floor PRIMARY KEY (revision)
);
COMMENT ON TABLE schema_floor IS 'One row: the oldest program, by the revision it needs, that this schema serves.';

CREATE TABLE validator_sets (
    digest BYTEA NOT NULL,
    content BYTEA NOT NULL,
    CONSTRAINT pk_validator_sets PRIMARY KEY (digest),
    CONSTRAINT ck_validator_sets_digest CHECK (octet_length(digest) = 32 AND btrim(digest, '\x00'::bytea) <> ''),
    CONSTRAINT ck_validator_sets_content CHECK (content <> '')
);
COMMENT ON TABLE validator_sets IS 'Validator sets by the hash that headers name them by, each once.';

CREATE TABLE chain_clients (
    peer TEXT COLLATE "C" NOT NULL,
    client TEXT COLLATE "C" NOT NULL,
    chain_id TEXT NOT NULL,
    latest_revision BIGINT NOT NULL,
    latest_height BIGINT NOT NULL,
    is_frozen BOOLEAN DEFAULT false NOT NULL,
    trust_numerator BIGINT NOT NULL,
    trust_denominator BIGINT NOT NULL,
    trusting_period BIGINT NOT NULL,
    max_clock_drift BIGINT NOT NULL,
    counterparty TEXT COLLATE "C",
    counterparty_prefix BYTEA[] NOT NULL,
    CONSTRAINT pk_chain_clients PRIMARY KEY (peer, client),
    CONSTRAINT ck_chain_clients_trust_level CHECK (trust_numerator BETWEEN 1 AND trust_denominator),
    CONSTRAINT ck_chain_clients_periods CHECK (trusting_period > 0 AND max_clock_drift >= 0),
    CONSTRAINT fk_chain_clients_peer FOREIGN KEY (peer) REFERENCES peers (peer)
);
COMMENT ON TABLE chain_clients IS 'Mirrors of light clients that live on peers'' chains.';

CREATE TABLE evidence (
    peer TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,
    reason TEXT NOT NULL,
    first BYTEA NOT NULL,
    second BYTEA NOT NULL,
    digest BYTEA NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_evidence PRIMARY KEY (peer, number),
    CONSTRAINT uq_evidence_peer_digest UNIQUE (peer, digest),
    CONSTRAINT ck_evidence_number CHECK (number >= 1),
    CONSTRAINT fk_evidence_peer FOREIGN KEY (peer) REFERENCES peers (peer)
);
COMMENT ON TABLE evidence IS 'Two truths of one chain that contradict each other.';

CREATE TABLE hub_clients (
    peer TEXT COLLATE "C" NOT NULL,
    client_type TEXT NOT NULL,
    chain_id TEXT NOT NULL,
    anchor_revision BIGINT NOT NULL,
    anchor_height BIGINT NOT NULL,
    header_hash BYTEA NOT NULL,
    next_validators_hash BYTEA NOT NULL,
    trust_numerator BIGINT NOT NULL,
    trust_denominator BIGINT NOT NULL,
    trusting_period BIGINT NOT NULL,
    max_clock_drift BIGINT NOT NULL,
    prefix BYTEA[] NOT NULL,
    frozen_at TIMESTAMP WITH TIME ZONE,
    frozen_cause TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_hub_clients PRIMARY KEY (peer),
    CONSTRAINT ck_hub_clients_trust_level CHECK (trust_numerator BETWEEN 1 AND trust_denominator),
    CONSTRAINT ck_hub_clients_periods CHECK (trusting_period > 0 AND max_clock_drift >= 0),
    CONSTRAINT ck_hub_clients_header_hash CHECK (octet_length(header_hash) = 32 AND btrim(header_hash, '\x00'::bytea) <> ''),
    CONSTRAINT ck_hub_clients_next_validators_hash CHECK (octet_length(next_validators_hash) = 32 AND btrim(next_validators_hash, '\x00'::bytea) <> ''),
    CONSTRAINT ck_hub_clients_anchor CHECK (anchor_revision >= 0 AND anchor_height >= 1),
    CONSTRAINT ck_hub_clients_frozen CHECK (frozen_at IS NOT NULL OR frozen_cause = ''),
    CONSTRAINT fk_hub_clients_peer FOREIGN KEY (peer) REFERENCES peers (peer)
);
COMMENT ON TABLE hub_clients IS 'The hub''s one light client of each peer''s chain, and the anchor it starts from.';

CREATE TABLE lane_openings (
    number BIGINT GENERATED ALWAYS AS IDENTITY,
    plan BYTEA NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    destination TEXT COLLATE "C" NOT NULL,
    source_client TEXT COLLATE "C",
    destination_client TEXT COLLATE "C",
    from_sequence BIGINT NOT NULL,
    ordering TEXT NOT NULL,
    allow_routes TEXT[] DEFAULT '{}' NOT NULL,
    author TEXT NOT NULL,
    state TEXT DEFAULT 'RUNNING' NOT NULL,
    step TEXT DEFAULT '' NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    detail TEXT DEFAULT '' NOT NULL,
    lanes TEXT[] DEFAULT '{}' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_lane_openings PRIMARY KEY (number),
    CONSTRAINT ck_lane_openings_state CHECK (state IN ('RUNNING', 'DONE', 'FAILED')),
    CONSTRAINT ck_lane_openings_ordering CHECK (ordering IN ('UNORDERED', 'BEST_EFFORT', 'ENFORCED')),
    CONSTRAINT ck_lane_openings_plan CHECK (octet_length(plan) = 32 AND btrim(plan, '\x00'::bytea) <> ''),
    CONSTRAINT fk_lane_openings_source FOREIGN KEY (source) REFERENCES peers (peer),
    CONSTRAINT fk_lane_openings_destination FOREIGN KEY (destination) REFERENCES peers (peer)
);
CREATE UNIQUE INDEX ix_lane_openings_plan ON lane_openings (plan) WHERE state <> 'FAILED';
COMMENT ON TABLE lane_openings IS 'Openings of pairs of lanes, at most one of a plan that has not failed.';

CREATE TABLE lanes (
    lane_id BIGINT GENERATED ALWAYS AS IDENTITY,
    name TEXT COLLATE "C" NOT NULL,
    source_peer TEXT COLLATE "C" NOT NULL,
    source_client TEXT COLLATE "C" NOT NULL,
    destination_peer TEXT COLLATE "C" NOT NULL,
    destination_client TEXT COLLATE "C" NOT NULL,
    state TEXT NOT NULL,
    ordering TEXT NOT NULL,
    first_sequence BIGINT NOT NULL,
    pause_cause TEXT DEFAULT '' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    revision BIGINT DEFAULT 1 NOT NULL,
    CONSTRAINT pk_lanes PRIMARY KEY (lane_id),
    CONSTRAINT uq_lanes_name UNIQUE (name),
    CONSTRAINT ck_lanes_state CHECK (state IN ('OPENING', 'OPEN', 'PAUSED', 'CLOSED')),
    CONSTRAINT ck_lanes_ordering CHECK (ordering IN ('UNORDERED', 'BEST_EFFORT', 'ENFORCED')),
    CONSTRAINT ck_lanes_name CHECK (name = concat_ws('~', source_peer, source_client, destination_peer, destination_client)),
    CONSTRAINT ck_lanes_first_sequence CHECK (first_sequence >= 1),
    CONSTRAINT ck_lanes_pause_cause CHECK (state = 'PAUSED' OR pause_cause = ''),
    CONSTRAINT fk_lanes_source_peer FOREIGN KEY (source_peer) REFERENCES peers (peer),
    CONSTRAINT fk_lanes_destination_peer FOREIGN KEY (destination_peer) REFERENCES peers (peer)
);
CREATE INDEX ix_lanes_destination_peer ON lanes (destination_peer);
CREATE INDEX ix_lanes_source_peer ON lanes (source_peer);
COMMENT ON TABLE lanes IS 'Lanes: one direction of a pair of chain clients each.';

CREATE TABLE leases (
    peer TEXT COLLATE "C" NOT NULL,
    epoch BIGINT NOT NULL,
    owner TEXT COLLATE "C",
    session TEXT DEFAULT '' NOT NULL,
    attached BOOLEAN DEFAULT false NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_leases PRIMARY KEY (peer),
    CONSTRAINT ck_leases_epoch CHECK (epoch >= 1),
    CONSTRAINT ck_leases_owner CHECK (owner <> '' AND (owner IS NOT NULL OR NOT attached)),
    CONSTRAINT fk_leases_peer FOREIGN KEY (peer) REFERENCES peers (peer)
);
COMMENT ON TABLE leases IS 'Who writes for each peer; session names the writer''s database connections.';

CREATE TABLE closed_holes (
    lane_id BIGINT NOT NULL,
    side TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    low BIGINT NOT NULL,
    high BIGINT NOT NULL,
    CONSTRAINT pk_closed_holes PRIMARY KEY (lane_id, side, kind, low),
    CONSTRAINT ck_closed_holes_side CHECK (side IN ('SOURCE', 'DESTINATION')),
    CONSTRAINT ck_closed_holes_kind CHECK (kind IN ('DONE', 'PROGRESS')),
    CONSTRAINT ck_closed_holes_span CHECK (low >= 0 AND low < high),
    CONSTRAINT fk_closed_holes_lane_id FOREIGN KEY (lane_id) REFERENCES lanes (lane_id)
);
COMMENT ON TABLE closed_holes IS 'Ranges that a lane''s row counts although they are missing (narrow.py).';

CREATE TABLE exceptions (
    lane_id BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    kind TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT DEFAULT '' NOT NULL,
    attempts INTEGER DEFAULT 0 NOT NULL,
    next_attempt_at BIGINT,
    CONSTRAINT pk_exceptions PRIMARY KEY (lane_id, sequence),
    CONSTRAINT ck_exceptions_kind CHECK (kind IN ('HOLE', 'RETRY', 'HELD', 'PARKED', 'DENIED')),
    CONSTRAINT ck_exceptions_numbers CHECK (sequence >= 1 AND attempts >= 0),
    CONSTRAINT fk_exceptions_lane_id FOREIGN KEY (lane_id) REFERENCES lanes (lane_id)
);
COMMENT ON TABLE exceptions IS 'Packets that do not move by themselves, and why.';

CREATE TABLE headers (
    peer TEXT COLLATE "C" NOT NULL,
    height BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    header_hash BYTEA NOT NULL,
    time BIGINT NOT NULL,
    root BYTEA NOT NULL,
    next_validators_hash BYTEA NOT NULL,
    validators_hash BYTEA NOT NULL,
    content BYTEA NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_headers PRIMARY KEY (peer, height),
    CONSTRAINT ck_headers_header_hash CHECK (octet_length(header_hash) = 32 AND btrim(header_hash, '\x00'::bytea) <> ''),
    CONSTRAINT ck_headers_next_validators_hash CHECK (octet_length(next_validators_hash) = 32 AND btrim(next_validators_hash, '\x00'::bytea) <> ''),
    CONSTRAINT ck_headers_height CHECK (height >= 1 AND revision >= 0 AND time >= 0),
    CONSTRAINT ck_headers_root CHECK (octet_length(root) <= 64 AND (root = '' OR btrim(root, '\x00'::bytea) <> '')),
    CONSTRAINT ck_headers_content CHECK (content <> ''),
    CONSTRAINT fk_headers_peer FOREIGN KEY (peer) REFERENCES hub_clients (peer),
    CONSTRAINT fk_headers_validators_hash FOREIGN KEY (validators_hash) REFERENCES validator_sets (digest)
);
COMMENT ON TABLE headers IS 'Verified headers, one for each height.';

CREATE TABLE lane_sides (
    lane_id BIGINT NOT NULL,
    side TEXT COLLATE "C" NOT NULL,
    peer TEXT COLLATE "C" NOT NULL,
    epoch BIGINT DEFAULT 0 NOT NULL,
    gate BIGINT DEFAULT 1 NOT NULL,
    stopped BOOLEAN DEFAULT false NOT NULL,
    done INT8MULTIRANGE DEFAULT '{}' NOT NULL,
    progress INT8MULTIRANGE DEFAULT '{}' NOT NULL,
    outcome_count BIGINT DEFAULT 0 NOT NULL,
    CONSTRAINT pk_lane_sides PRIMARY KEY (lane_id, side),
    CONSTRAINT ck_lane_sides_side CHECK (side IN ('SOURCE', 'DESTINATION')),
    CONSTRAINT ck_lane_sides_numbers CHECK (epoch >= 0 AND gate >= 1 AND outcome_count >= 0),
    CONSTRAINT ck_lane_sides_done CHECK (range_count(done) <= 64 AND (isempty(done) OR lower(done) >= 1)),
    CONSTRAINT ck_lane_sides_progress CHECK (range_count(progress) <= 64 AND (isempty(progress) OR lower(progress) >= 0)),
    CONSTRAINT ck_lane_sides_bounds CHECK (NOT upper_inf(done) AND NOT upper_inf(progress)),
    CONSTRAINT ck_lane_sides_outcomes CHECK (side = 'DESTINATION' OR outcome_count = 0),
    CONSTRAINT fk_lane_sides_lane_id FOREIGN KEY (lane_id) REFERENCES lanes (lane_id)
) WITH (fillfactor = 50);
COMMENT ON TABLE lane_sides IS 'The two narrow rows of each lane: what each end''s writer has done.';

CREATE TABLE retired (
    lane_id BIGINT NOT NULL,
    sequences INT8MULTIRANGE DEFAULT '{}' NOT NULL,
    settled INT8MULTIRANGE DEFAULT '{}' NOT NULL,
    indexes INT8MULTIRANGE DEFAULT '{}' NOT NULL,
    CONSTRAINT pk_retired PRIMARY KEY (lane_id),
    CONSTRAINT fk_retired_lane_id FOREIGN KEY (lane_id) REFERENCES lanes (lane_id)
);
COMMENT ON TABLE retired IS 'Sequences of packets, of outcomes, and outcome indexes whose days are dropped.';

CREATE TABLE routes (
    lane_id BIGINT NOT NULL,
    source_port TEXT COLLATE "C" NOT NULL,
    destination_port TEXT COLLATE "C" NOT NULL,
    action TEXT NOT NULL,
    data_class TEXT DEFAULT '' NOT NULL,
    purpose TEXT DEFAULT '' NOT NULL,
    max_payload_bytes BIGINT DEFAULT 0 NOT NULL,
    max_timeout BIGINT,
    revision BIGINT DEFAULT 1 NOT NULL,
    CONSTRAINT pk_routes PRIMARY KEY (lane_id, source_port, destination_port),
    CONSTRAINT ck_routes_action CHECK (action IN ('ALLOW', 'DENY')),
    CONSTRAINT ck_routes_limits CHECK (max_payload_bytes >= 0 AND max_timeout > 0),
    CONSTRAINT fk_routes_lane_id FOREIGN KEY (lane_id) REFERENCES lanes (lane_id)
);
COMMENT ON TABLE routes IS 'Policy by pair of ports; what is not listed is denied.';

CREATE TABLE timeout_batches (
    lane_id BIGINT NOT NULL,
    first BIGINT NOT NULL,
    last BIGINT NOT NULL,
    earliest BIGINT NOT NULL,
    CONSTRAINT pk_timeout_batches PRIMARY KEY (lane_id, first),
    CONSTRAINT ck_timeout_batches_numbers CHECK (first >= 1 AND last >= first AND earliest >= 1)
);
CREATE INDEX ix_timeout_batches_lane_id_earliest ON timeout_batches (lane_id, earliest);
COMMENT ON TABLE timeout_batches IS 'Packets of one frame, waiting for the earliest of their timeouts (s).';

INSERT INTO schema_floor (revision) VALUES ('0001');

-- A row with 64 ranges in each set is still one tuple; hashes and ciphertext do not compress.
ALTER TABLE lane_sides ALTER COLUMN done SET STORAGE PLAIN, ALTER COLUMN progress SET STORAGE PLAIN;
ALTER TABLE packets ALTER COLUMN content SET STORAGE EXTERNAL;
ALTER TABLE outcomes ALTER COLUMN content SET STORAGE EXTERNAL;
ALTER TABLE proofs ALTER COLUMN content SET STORAGE EXTERNAL, ALTER COLUMN skipped SET STORAGE EXTERNAL;
