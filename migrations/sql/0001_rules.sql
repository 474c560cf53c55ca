-- What every change must keep, whoever makes it. A trigger's name says the rule that it holds.

CREATE FUNCTION refuse() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'restrict_violation', MESSAGE = TG_TABLE_NAME || ': ' || TG_NAME;
END
$$;
COMMENT ON FUNCTION refuse IS 'Refuses what its trigger found.';

-- Facts are appended once. A whole day of them may be dropped, by hub/registry/partitions.py.
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON headers FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON validator_sets FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON evidence FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON proofs FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON packets FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON outcomes FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_events FOR EACH ROW EXECUTE FUNCTION refuse();

CREATE TRIGGER not_emptied BEFORE TRUNCATE ON headers EXECUTE FUNCTION refuse();
CREATE TRIGGER not_emptied BEFORE TRUNCATE ON validator_sets EXECUTE FUNCTION refuse();
CREATE TRIGGER not_emptied BEFORE TRUNCATE ON evidence EXECUTE FUNCTION refuse();
CREATE TRIGGER not_emptied BEFORE TRUNCATE ON proofs EXECUTE FUNCTION refuse();
CREATE TRIGGER not_emptied BEFORE TRUNCATE ON packets EXECUTE FUNCTION refuse();
CREATE TRIGGER not_emptied BEFORE TRUNCATE ON outcomes EXECUTE FUNCTION refuse();
CREATE TRIGGER not_emptied BEFORE TRUNCATE ON audit_events EXECUTE FUNCTION refuse();

-- What stands for good.
CREATE TRIGGER stays BEFORE DELETE ON peers FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE TRIGGER stays BEFORE DELETE ON hub_clients FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE TRIGGER stays BEFORE DELETE ON lanes FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE TRIGGER stays BEFORE DELETE ON lane_sides FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE TRIGGER stays BEFORE DELETE ON leases FOR EACH ROW EXECUTE FUNCTION refuse();

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

CREATE TRIGGER revision_rises BEFORE UPDATE ON peers FOR EACH ROW
    WHEN (NEW.peer <> OLD.peer OR NEW.revision <> OLD.revision + 1)
    EXECUTE FUNCTION refuse();

-- Fencing: an epoch or gate that fell would let an older writer in.
CREATE TRIGGER epoch_rises BEFORE UPDATE ON leases FOR EACH ROW
    WHEN (NEW.peer <> OLD.peer OR NEW.epoch < OLD.epoch)
    EXECUTE FUNCTION refuse();

CREATE TRIGGER row_only_grows BEFORE UPDATE ON lane_sides FOR EACH ROW
    WHEN (
        NEW.lane_id <> OLD.lane_id OR NEW.side <> OLD.side OR NEW.peer <> OLD.peer
        OR NEW.epoch < OLD.epoch OR NEW.gate < OLD.gate
        OR NOT NEW.done @> OLD.done OR NEW.outcome_count < OLD.outcome_count
    )
    EXECUTE FUNCTION refuse();

-- Every legal move of a lane: opening to open, open to paused and back, all to closed.
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

CREATE TRIGGER ends_once BEFORE UPDATE ON lane_openings FOR EACH ROW
    WHEN (OLD.state <> 'RUNNING')
    EXECUTE FUNCTION refuse();
