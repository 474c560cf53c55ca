-- Revision 0002, its part of governance: recovery, suspension, draining, certificates.

ALTER TABLE peers ADD COLUMN suspend_cause TEXT DEFAULT '' NOT NULL;
ALTER TABLE peers
    ADD CONSTRAINT ck_peers_suspend_cause CHECK (state = 'SUSPENDED' OR suspend_cause = '');
ALTER TABLE hub_clients ADD COLUMN recovered_at TIMESTAMP WITH TIME ZONE;

ALTER TABLE lanes DROP CONSTRAINT ck_lanes_state, DROP CONSTRAINT ck_lanes_pause_cause;
ALTER TABLE lanes
    ADD CONSTRAINT ck_lanes_state
        CHECK (state IN ('OPENING', 'OPEN', 'PAUSED', 'DRAINING', 'CLOSED')),
    ADD CONSTRAINT ck_lanes_pause_cause
        CHECK (state IN ('PAUSED', 'DRAINING') OR pause_cause = '');

CREATE TABLE carried_evidence (
    peer TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,
    chain_peer TEXT COLLATE "C" NOT NULL,
    client TEXT COLLATE "C" NOT NULL,
    carried_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_carried_evidence PRIMARY KEY (peer, number, chain_peer, client),
    CONSTRAINT fk_carried_evidence_peer_number FOREIGN KEY (peer, number) REFERENCES evidence (peer, number),
    CONSTRAINT fk_carried_evidence_chain_peer_client FOREIGN KEY (chain_peer, client) REFERENCES chain_clients (peer, client)
);
COMMENT ON TABLE carried_evidence IS 'Chain clients that are frozen by evidence which the relayer carried to them.';

CREATE TABLE certificates (
    serial TEXT COLLATE "C" NOT NULL,
    identity TEXT COLLATE "C" NOT NULL,
    issued_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_certificates PRIMARY KEY (serial),
    CONSTRAINT ck_certificates_serial CHECK (serial ~ '^[1-9a-f][0-9a-f]*$')
);
CREATE INDEX ix_certificates_identity ON certificates (identity);
COMMENT ON TABLE certificates IS 'Certificates that the hub has issued; their keys it has never seen.';

CREATE TABLE invitations (
    digest BYTEA NOT NULL,
    peer TEXT COLLATE "C" NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    serial TEXT COLLATE "C",
    CONSTRAINT pk_invitations PRIMARY KEY (digest),
    CONSTRAINT ck_invitations_digest CHECK (octet_length(digest) = 32 AND btrim(digest, '\x00'::bytea) <> ''),
    CONSTRAINT fk_invitations_peer FOREIGN KEY (peer) REFERENCES peers (peer),
    CONSTRAINT fk_invitations_serial FOREIGN KEY (serial) REFERENCES certificates (serial)
);
COMMENT ON TABLE invitations IS 'One-time tokens by their hash; serial is of the certificate that one was spent for.';

CREATE TABLE revocations (
    number BIGINT GENERATED ALWAYS AS IDENTITY,
    serial TEXT COLLATE "C",
    identity TEXT COLLATE "C",
    cause TEXT NOT NULL,
    revoked_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_revocations PRIMARY KEY (number),
    CONSTRAINT uq_revocations_serial UNIQUE (serial),
    CONSTRAINT ck_revocations_subject CHECK ((serial IS NULL) <> (identity IS NULL))
);
COMMENT ON TABLE revocations IS 'Certificates that count no more: one by its serial, or all of an identity until then.';

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON carried_evidence FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON certificates FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON revocations FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE TRIGGER not_emptied BEFORE TRUNCATE ON carried_evidence EXECUTE FUNCTION refuse();
CREATE TRIGGER not_emptied BEFORE TRUNCATE ON certificates EXECUTE FUNCTION refuse();
CREATE TRIGGER not_emptied BEFORE TRUNCATE ON revocations EXECUTE FUNCTION refuse();

CREATE TRIGGER spent_once BEFORE UPDATE ON invitations FOR EACH ROW
    WHEN (
        OLD.serial IS NOT NULL
        OR (NEW.digest, NEW.peer, NEW.expires_at)
            IS DISTINCT FROM (OLD.digest, OLD.peer, OLD.expires_at)
    )
    EXECUTE FUNCTION refuse();

-- A client starts again only from a later anchor, and verifies the same chain in the same way.
DROP TRIGGER anchor_stays ON hub_clients;
CREATE TRIGGER anchor_stays BEFORE UPDATE ON hub_clients FOR EACH ROW
    WHEN (
        (NEW.peer, NEW.client_type, NEW.chain_id, NEW.anchor_revision, NEW.prefix)
            IS DISTINCT FROM
            (OLD.peer, OLD.client_type, OLD.chain_id, OLD.anchor_revision, OLD.prefix)
        OR NEW.anchor_height < OLD.anchor_height
        OR (NEW.anchor_height = OLD.anchor_height AND (
            (NEW.header_hash, NEW.next_validators_hash, NEW.trust_numerator, NEW.trust_denominator)
                IS DISTINCT FROM
                (OLD.header_hash, OLD.next_validators_hash, OLD.trust_numerator, OLD.trust_denominator)
            OR (NEW.trusting_period, NEW.max_clock_drift)
                IS DISTINCT FROM (OLD.trusting_period, OLD.max_clock_drift)
        ))
    )
    EXECUTE FUNCTION refuse();

-- As before, and a lane that is not open yet does not drain.
DROP TRIGGER state_moves ON lanes;
CREATE TRIGGER state_moves BEFORE UPDATE ON lanes FOR EACH ROW
    WHEN (
        (NEW.lane_id, NEW.name, NEW.first_sequence, NEW.ordering)
            IS DISTINCT FROM (OLD.lane_id, OLD.name, OLD.first_sequence, OLD.ordering)
        OR (NEW.state <> OLD.state AND (
            OLD.state = 'CLOSED' OR NEW.state = 'OPENING'
            OR (OLD.state = 'OPENING' AND NEW.state IN ('PAUSED', 'DRAINING'))
            OR NEW.revision <> OLD.revision + 1
        ))
    )
    EXECUTE FUNCTION refuse();
