-- Takes revision 0002 back.

DROP TRIGGER row_only_grows ON lane_sides;
CREATE TRIGGER row_only_grows BEFORE UPDATE ON lane_sides FOR EACH ROW
    WHEN (
        NEW.lane_id <> OLD.lane_id OR NEW.side <> OLD.side OR NEW.peer <> OLD.peer
        OR NEW.epoch < OLD.epoch OR NEW.gate < OLD.gate
        OR NOT NEW.done @> OLD.done OR NEW.outcome_count < OLD.outcome_count
    )
    EXECUTE FUNCTION refuse();
DROP TABLE reopenings;
ALTER TABLE lane_sides DROP COLUMN reopened_count;
ALTER TABLE routes DROP COLUMN limit_packets, DROP COLUMN limit_period, DROP COLUMN limit_burst;

DROP TABLE forwarded_requests, relayers;
DROP TABLE attempts;
ALTER TABLE exceptions DROP COLUMN since;

DROP TRIGGER state_moves ON lanes;
CREATE TRIGGER state_moves BEFORE UPDATE ON lanes FOR EACH ROW
    WHEN (
        (NEW.lane_id, NEW.name, NEW.first_sequence, NEW.ordering)
            IS DISTINCT FROM (OLD.lane_id, OLD.name, OLD.first_sequence, OLD.ordering)
        OR (NEW.state <> OLD.state AND (
            OLD.state = 'CLOSED' OR NEW.state = 'OPENING'
            OR (OLD.state = 'OPENING' AND NEW.state = 'PAUSED')
            OR NEW.revision <> OLD.revision + 1
        ))
    )
    EXECUTE FUNCTION refuse();
DROP TRIGGER anchor_stays ON hub_clients;
CREATE TRIGGER anchor_stays BEFORE UPDATE ON hub_clients FOR EACH ROW
    WHEN (
        (NEW.peer, NEW.client_type, NEW.chain_id, NEW.anchor_revision, NEW.anchor_height)
            IS DISTINCT FROM
            (OLD.peer, OLD.client_type, OLD.chain_id, OLD.anchor_revision, OLD.anchor_height)
        OR (NEW.header_hash, NEW.next_validators_hash, NEW.prefix)
            IS DISTINCT FROM (OLD.header_hash, OLD.next_validators_hash, OLD.prefix)
        OR (NEW.trust_numerator, NEW.trust_denominator, NEW.trusting_period, NEW.max_clock_drift)
            IS DISTINCT FROM
            (OLD.trust_numerator, OLD.trust_denominator, OLD.trusting_period, OLD.max_clock_drift)
    )
    EXECUTE FUNCTION refuse();
DROP TABLE carried_evidence, invitations, certificates, revocations;
ALTER TABLE lanes DROP CONSTRAINT ck_lanes_state, DROP CONSTRAINT ck_lanes_pause_cause;
ALTER TABLE lanes
    ADD CONSTRAINT ck_lanes_state CHECK (state IN ('OPENING', 'OPEN', 'PAUSED', 'CLOSED')),
    ADD CONSTRAINT ck_lanes_pause_cause CHECK (state = 'PAUSED' OR pause_cause = '');
ALTER TABLE hub_clients DROP COLUMN recovered_at;
ALTER TABLE peers DROP COLUMN suspend_cause;
