-- Revision 0002, its part of the audit: what was reported executed, and is proven not to be.

ALTER TABLE lane_sides ADD COLUMN reopened_count BIGINT DEFAULT 0 NOT NULL;
ALTER TABLE lane_sides
    ADD CONSTRAINT ck_lane_sides_reopened
        CHECK (reopened_count >= 0 AND (side = 'SOURCE' OR reopened_count = 0));

CREATE TABLE reopenings (
    reopening_id BIGINT GENERATED ALWAYS AS IDENTITY,
    lane_id BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    outcome_index BIGINT NOT NULL,
    height BIGINT NOT NULL,
    reopened_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    proof BYTEA NOT NULL,
    CONSTRAINT pk_reopenings PRIMARY KEY (reopening_id),
    CONSTRAINT ck_reopenings_numbers CHECK (sequence >= 1 AND outcome_index >= 0 AND height >= 1),
    CONSTRAINT ck_reopenings_proof CHECK (proof <> ''),
    CONSTRAINT fk_reopenings_lane_id FOREIGN KEY (lane_id) REFERENCES lanes (lane_id)
);
CREATE INDEX ix_reopenings_lane_id_sequence ON reopenings (lane_id, sequence);
COMMENT ON TABLE reopenings IS 'Packets that were open again: reported executed, and proven not to be.';

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON reopenings FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE TRIGGER not_emptied BEFORE TRUNCATE ON reopenings EXECUTE FUNCTION refuse();

-- As before, and what is executed leaves its set again only where that is counted.
DROP TRIGGER row_only_grows ON lane_sides;
CREATE TRIGGER row_only_grows BEFORE UPDATE ON lane_sides FOR EACH ROW
    WHEN (
        NEW.lane_id <> OLD.lane_id OR NEW.side <> OLD.side OR NEW.peer <> OLD.peer
        OR NEW.epoch < OLD.epoch OR NEW.gate < OLD.gate
        OR NOT NEW.done @> OLD.done OR NEW.outcome_count < OLD.outcome_count
        OR NEW.reopened_count < OLD.reopened_count
        OR (NEW.reopened_count = OLD.reopened_count AND NOT NEW.progress @> OLD.progress)
    )
    EXECUTE FUNCTION refuse();
