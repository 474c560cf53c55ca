-- Statements for test_rules.py: each below the name of the rule that refuses it, or of none.
-- Each meets the world of that test alone, and is undone.

-- allowed
INSERT INTO headers (peer, height, revision, header_hash, time, root, next_validators_hash,
    validators_hash, content) SELECT 'suzhou', 6, 1, decode(repeat('01', 32), 'hex'), 1,
    decode(repeat('01', 32), 'hex'), decode(repeat('01', 32), 'hex'), digest, 'x' FROM
    validator_sets;

-- allowed
INSERT INTO headers (peer, height, revision, header_hash, time, root, next_validators_hash,
    validators_hash, content) SELECT 'suzhou', 6, 1, decode(repeat('01', 32), 'hex'), 1, '',
    decode(repeat('01', 32), 'hex'), digest, 'x' FROM validator_sets;

-- allowed
INSERT INTO packets (day, lane_id, sequence, timeout_timestamp, proof_id, accepted_at, content)
    VALUES (current_date, 1, 5, 1, 1, now(), 'x');

-- allowed
INSERT INTO outcomes (day, lane_id, outcome_index, sequence, proof_id, recorded_at, kind,
    content) VALUES (current_date, 1, 5, 5, 1, now(), 'ACKNOWLEDGEMENT', 'x');

-- allowed
INSERT INTO outcomes (day, lane_id, outcome_index, sequence, proof_id, recorded_at, kind,
    content) VALUES (current_date, 1, 5, 5, 1, now(), 'ABSENCE', '');

-- allowed
INSERT INTO proofs (day, proof_id, lane_id, side, epoch, gate, height, leaf_count, skipped,
    content) VALUES (current_date, 99, 1, 'SOURCE', 1, 1, 1, 1, '', 'x');

-- allowed
UPDATE lane_sides SET gate = gate + 1, epoch = epoch + 1;

-- allowed
UPDATE peers SET state = 'SUSPENDED', revision = revision + 1;

-- allowed
UPDATE lanes SET state = 'CLOSED', revision = revision + 1;

-- allowed
UPDATE lanes SET state = 'DRAINING', pause_cause = 'x', revision = revision + 1;

-- ck_headers_header_hash
INSERT INTO headers (peer, height, revision, header_hash, time, root, next_validators_hash,
    validators_hash, content) SELECT 'suzhou', 6, 1, decode(repeat('00', 32), 'hex'), 1,
    decode(repeat('01', 32), 'hex'), decode(repeat('01', 32), 'hex'), digest, 'x' FROM
    validator_sets;

-- ck_headers_header_hash
INSERT INTO headers (peer, height, revision, header_hash, time, root, next_validators_hash,
    validators_hash, content) SELECT 'suzhou', 6, 1, decode(repeat('01', 31), 'hex'), 1,
    decode(repeat('01', 32), 'hex'), decode(repeat('01', 32), 'hex'), digest, 'x' FROM
    validator_sets;

-- ck_headers_next_validators_hash
INSERT INTO headers (peer, height, revision, header_hash, time, root, next_validators_hash,
    validators_hash, content) SELECT 'suzhou', 6, 1, decode(repeat('01', 32), 'hex'), 1,
    decode(repeat('01', 32), 'hex'), decode(repeat('00', 32), 'hex'), digest, 'x' FROM
    validator_sets;

-- ck_headers_root
INSERT INTO headers (peer, height, revision, header_hash, time, root, next_validators_hash,
    validators_hash, content) SELECT 'suzhou', 6, 1, decode(repeat('01', 32), 'hex'), 1,
    decode(repeat('00', 32), 'hex'), decode(repeat('01', 32), 'hex'), digest, 'x' FROM
    validator_sets;

-- ck_headers_root
INSERT INTO headers (peer, height, revision, header_hash, time, root, next_validators_hash,
    validators_hash, content) SELECT 'suzhou', 6, 1, decode(repeat('01', 32), 'hex'), 1,
    decode(repeat('01', 65), 'hex'), decode(repeat('01', 32), 'hex'), digest, 'x' FROM
    validator_sets;

-- ck_headers_height
INSERT INTO headers (peer, height, revision, header_hash, time, root, next_validators_hash,
    validators_hash, content) SELECT 'suzhou', 0, 1, decode(repeat('01', 32), 'hex'), 1,
    decode(repeat('01', 32), 'hex'), decode(repeat('01', 32), 'hex'), digest, 'x' FROM
    validator_sets;

-- ck_headers_height
INSERT INTO headers (peer, height, revision, header_hash, time, root, next_validators_hash,
    validators_hash, content) SELECT 'suzhou', 6, 1, decode(repeat('01', 32), 'hex'), -1,
    decode(repeat('01', 32), 'hex'), decode(repeat('01', 32), 'hex'), digest, 'x' FROM
    validator_sets;

-- ck_headers_content
INSERT INTO headers (peer, height, revision, header_hash, time, root, next_validators_hash,
    validators_hash, content) SELECT 'suzhou', 6, 1, decode(repeat('01', 32), 'hex'), 1,
    decode(repeat('01', 32), 'hex'), decode(repeat('01', 32), 'hex'), digest, '' FROM
    validator_sets;

-- fk_headers_validators_hash
INSERT INTO headers (peer, height, revision, header_hash, time, root, next_validators_hash,
    validators_hash, content) SELECT 'suzhou', 6, 1, decode(repeat('01', 32), 'hex'), 1,
    decode(repeat('01', 32), 'hex'), decode(repeat('01', 32), 'hex'), decode(repeat('01', 32),
    'hex'), 'x' FROM validator_sets;

-- fk_headers_peer
INSERT INTO headers (peer, height, revision, header_hash, time, root, next_validators_hash,
    validators_hash, content) SELECT 'wuxi', 6, 1, decode(repeat('01', 32), 'hex'), 1,
    decode(repeat('01', 32), 'hex'), decode(repeat('01', 32), 'hex'), digest, 'x' FROM
    validator_sets;

-- pk_headers
INSERT INTO headers (peer, height, revision, header_hash, time, root, next_validators_hash,
    validators_hash, content) SELECT 'suzhou', 5, 1, decode(repeat('01', 32), 'hex'), 1,
    decode(repeat('01', 32), 'hex'), decode(repeat('01', 32), 'hex'), digest, 'x' FROM
    validator_sets;

-- ck_validator_sets_digest
INSERT INTO validator_sets VALUES (decode(repeat('00', 32), 'hex'), 'x');

-- ck_validator_sets_content
INSERT INTO validator_sets VALUES (decode(repeat('01', 32), 'hex'), '');

-- ck_packets_numbers
INSERT INTO packets (day, lane_id, sequence, timeout_timestamp, proof_id, accepted_at, content)
    VALUES (current_date, 1, 0, 1, 1, now(), 'x');

-- ck_packets_numbers
INSERT INTO packets (day, lane_id, sequence, timeout_timestamp, proof_id, accepted_at, content)
    VALUES (current_date, 1, -1, 1, 1, now(), 'x');

-- ck_packets_numbers
INSERT INTO packets (day, lane_id, sequence, timeout_timestamp, proof_id, accepted_at, content)
    VALUES (current_date, 1, 5, 0, 1, now(), 'x');

-- ck_packets_content
INSERT INTO packets (day, lane_id, sequence, timeout_timestamp, proof_id, accepted_at, content)
    VALUES (current_date, 1, 5, 1, 1, now(), '');

-- pkey
INSERT INTO packets (day, lane_id, sequence, timeout_timestamp, proof_id, accepted_at, content)
    VALUES (current_date, 1, 1, 1, 1, now(), 'x');

-- ck_outcomes_content
INSERT INTO outcomes (day, lane_id, outcome_index, sequence, proof_id, recorded_at, kind,
    content) VALUES (current_date, 1, 5, 5, 1, now(), 'ACKNOWLEDGEMENT', '');

-- ck_outcomes_content
INSERT INTO outcomes (day, lane_id, outcome_index, sequence, proof_id, recorded_at, kind,
    content) VALUES (current_date, 1, 5, 5, 1, now(), 'ABSENCE', 'x');

-- ck_outcomes_kind
INSERT INTO outcomes (day, lane_id, outcome_index, sequence, proof_id, recorded_at, kind,
    content) VALUES (current_date, 1, 5, 5, 1, now(), 'BOTH', '');

-- ck_outcomes_numbers
INSERT INTO outcomes (day, lane_id, outcome_index, sequence, proof_id, recorded_at, kind,
    content) VALUES (current_date, 1, -1, 5, 1, now(), 'ACKNOWLEDGEMENT', 'x');

-- pkey
INSERT INTO outcomes (day, lane_id, outcome_index, sequence, proof_id, recorded_at, kind,
    content) VALUES (current_date, 1, 0, 5, 1, now(), 'ACKNOWLEDGEMENT', 'x');

-- ck_proofs_numbers
INSERT INTO proofs (day, proof_id, lane_id, side, epoch, gate, height, leaf_count, skipped,
    content) VALUES (current_date, 99, 1, 'SOURCE', 1, 1, 0, 1, '', 'x');

-- ck_proofs_numbers
INSERT INTO proofs (day, proof_id, lane_id, side, epoch, gate, height, leaf_count, skipped,
    content) VALUES (current_date, 99, 1, 'SOURCE', 1, 1, 1, 0, '', 'x');

-- ck_proofs_content
INSERT INTO proofs (day, proof_id, lane_id, side, epoch, gate, height, leaf_count, skipped,
    content) VALUES (current_date, 99, 1, 'SOURCE', 1, 1, 1, 1, '', '');

-- ck_proofs_side
INSERT INTO proofs (day, proof_id, lane_id, side, epoch, gate, height, leaf_count, skipped,
    content) VALUES (current_date, 99, 1, 'MIDDLE', 1, 1, 1, 1, '', 'x');

-- ck_exceptions_kind
UPDATE exceptions SET kind = 'ODD';

-- ck_exceptions_numbers
UPDATE exceptions SET attempts = -1;

-- ck_attempts_kind
INSERT INTO attempts (lane_id, peer, kind, reason, sequences) VALUES (1, 'suzhou', 'ODD', 'X', '{[1,2)}');

-- ck_attempts_reason
INSERT INTO attempts (lane_id, peer, kind, reason, sequences) VALUES (1, 'suzhou', 'RETRY', '', '{[1,2)}');

-- ck_attempts_sequences
INSERT INTO attempts (lane_id, peer, kind, reason, sequences) VALUES (1, 'suzhou', 'RETRY', 'X', '{}');

-- ck_timeout_batches_numbers
UPDATE timeout_batches SET earliest = 0;

-- ck_attempts_kind
INSERT INTO attempts (lane_id, peer, kind, reason, sequences) VALUES (1, 'suzhou', 'ODD', 'X', '{[1,2)}');

-- ck_attempts_reason
INSERT INTO attempts (lane_id, peer, kind, reason, sequences) VALUES (1, 'suzhou', 'RETRY', '', '{[1,2)}');

-- ck_attempts_sequences
INSERT INTO attempts (lane_id, peer, kind, reason, sequences) VALUES (1, 'suzhou', 'RETRY', 'X', '{}');

-- ck_timeout_batches_numbers
UPDATE timeout_batches SET last = first - 1;

-- ck_audit_events_identity
INSERT INTO audit_events (identity, action, subject, revision) VALUES ('', 'x', 'x', 1);

-- ck_requests_request_id
INSERT INTO requests VALUES ('x', '', 'x');

-- ck_peers_state
UPDATE peers SET state = 'GONE', revision = revision + 1;

-- ck_hub_clients_frozen
UPDATE hub_clients SET frozen_cause = 'x';

-- ck_lanes_name
INSERT INTO lanes (name, source_peer, source_client, destination_peer, destination_client,
    state, ordering, first_sequence) VALUES ('x', 'suzhou', 'a-1', 'hangzhou', 'b-1', 'OPEN',
    'UNORDERED', 1);

-- ck_lanes_pause_cause
UPDATE lanes SET pause_cause = 'x';

-- ck_lanes_state
UPDATE lanes SET state = 'ODD', revision = revision + 1;

-- uq_lanes_name
INSERT INTO lanes (name, source_peer, source_client, destination_peer, destination_client,
    state, ordering, first_sequence) SELECT name, source_peer, source_client, destination_peer,
    destination_client, state, ordering, 1 FROM lanes LIMIT 1;

-- ck_routes_action
UPDATE routes SET action = 'MAYBE';

-- ck_routes_limits
UPDATE routes SET max_payload_bytes = -1;

-- ck_routes_limits
UPDATE routes SET max_timeout = 0;

-- ck_routes_rate
UPDATE routes SET limit_packets = 1;

-- ck_routes_rate
UPDATE routes SET limit_packets = 1, limit_period = 1;

-- ck_routes_rate_bounds
UPDATE routes SET limit_packets = -1, limit_period = 1, limit_burst = 1;

-- ck_leases_owner
UPDATE leases SET owner = '';

-- ck_leases_owner
UPDATE leases SET owner = NULL, attached = true;

-- ck_lane_openings_state
INSERT INTO lane_openings (plan, source, destination, from_sequence, ordering, allow_routes,
    author, state) VALUES (decode(repeat('01', 32), 'hex'), 'suzhou', 'hangzhou', 1,
    'UNORDERED', '{}', 'x', 'ODD');

-- ix_lane_openings_plan
INSERT INTO lane_openings (plan, source, destination, from_sequence, ordering, allow_routes,
    author) SELECT plan, source, destination, from_sequence, ordering, allow_routes, author FROM
    lane_openings;

-- ck_lane_sides_side
INSERT INTO lane_sides (lane_id, side, peer) VALUES (1, 'MIDDLE', 'x');

-- ck_lane_sides_progress
UPDATE lane_sides SET progress = '{[-1,2)}';

-- ck_lane_sides_done
UPDATE lane_sides SET done = done + '{[0,1)}';

-- ck_lane_sides_done
UPDATE lane_sides SET done = done + (SELECT range_agg(int8range(2 * n, 2 * n + 1)) FROM
    generate_series(100, 164) n);

-- ck_lane_sides_progress
UPDATE lane_sides SET progress = (SELECT range_agg(int8range(2 * n, 2 * n + 1)) FROM
    generate_series(100, 164) n);

-- ck_lane_sides_bounds
UPDATE lane_sides SET done = done + '{[100,)}';

-- ck_lane_sides_outcomes
UPDATE lane_sides SET outcome_count = 9;

-- ck_lane_sides_reopened
UPDATE lane_sides SET reopened_count = 1 WHERE side = 'DESTINATION';

-- ck_reopenings_numbers
INSERT INTO reopenings (lane_id, sequence, outcome_index, height, proof) VALUES (1, 1, 0, 0, 'p');

-- ck_reopenings_proof
INSERT INTO reopenings (lane_id, sequence, outcome_index, height, proof) VALUES (1, 1, 0, 5, '');

-- ck_closed_holes_span
INSERT INTO closed_holes VALUES (1, 'SOURCE', 'DONE', 5, 5);

-- ck_closed_holes_kind
INSERT INTO closed_holes VALUES (1, 'SOURCE', 'ODD', 5, 6);

-- lane_sides: row_only_grows
UPDATE lane_sides SET gate = gate - 1;

-- lane_sides: row_only_grows
UPDATE lane_sides SET epoch = epoch - 1;

-- lane_sides: row_only_grows
UPDATE lane_sides SET done = '{}' WHERE side = 'SOURCE';

-- lane_sides: row_only_grows
UPDATE lane_sides SET outcome_count = 0 WHERE side = 'DESTINATION';

-- lane_sides: row_only_grows
UPDATE lane_sides SET peer = 'shanghai';

-- lane_sides: row_only_grows
UPDATE lane_sides SET progress = '{[0,1)}' WHERE side = 'SOURCE';
UPDATE lane_sides SET progress = '{}' WHERE side = 'SOURCE';

-- lane_sides: row_only_grows
UPDATE lane_sides SET reopened_count = 1 WHERE side = 'SOURCE';
UPDATE lane_sides SET reopened_count = 0 WHERE side = 'SOURCE';

-- lane_sides: stays
DELETE FROM lane_sides;

-- leases: epoch_rises
UPDATE leases SET epoch = epoch - 1;

-- leases: stays
DELETE FROM leases;

-- hub_clients: anchor_stays
UPDATE hub_clients SET header_hash = decode(repeat('01', 32), 'hex');

-- hub_clients: anchor_stays
UPDATE hub_clients SET trusting_period = trusting_period + 1;

-- hub_clients: anchor_stays
UPDATE hub_clients SET chain_id = 'other';

-- hub_clients: anchor_stays
UPDATE hub_clients SET prefix = '{x}', anchor_height = anchor_height + 1;

-- hub_clients: anchor_stays
UPDATE hub_clients SET anchor_height = anchor_height - 1;

-- allowed
UPDATE hub_clients SET anchor_height = anchor_height + 1, trusting_period = trusting_period + 1,
    header_hash = decode(repeat('01', 32), 'hex'), recovered_at = now();

-- ck_peers_suspend_cause
UPDATE peers SET suspend_cause = 'x', revision = revision + 1;

-- allowed
INSERT INTO revocations (serial, cause) VALUES ('1f', 'x');

-- allowed
INSERT INTO revocations (identity, cause) VALUES ('a', 'x'), ('a', 'y');

-- ck_revocations_subject
INSERT INTO revocations (serial, identity, cause) VALUES ('1f', 'a', 'x');

-- ck_revocations_subject
INSERT INTO revocations (cause) VALUES ('x');

-- uq_revocations_serial
INSERT INTO revocations (serial, cause) VALUES ('1f', 'x'), ('1f', 'y');

-- revocations: not_emptied
TRUNCATE revocations;

-- ck_certificates_serial
INSERT INTO certificates (serial, identity, expires_at) VALUES ('0f', 'a', now());

-- ck_certificates_serial
INSERT INTO certificates (serial, identity, expires_at) VALUES ('F', 'a', now());

-- ck_invitations_digest
INSERT INTO invitations (digest, peer, expires_at) VALUES ('x', 'suzhou', now());

-- fk_invitations_serial
INSERT INTO invitations (digest, peer, expires_at, serial)
    VALUES (decode(repeat('01', 32), 'hex'), 'suzhou', now(), '1f');

-- invitations: spent_once
INSERT INTO certificates (serial, identity, expires_at) VALUES ('2f', 'a', now());
INSERT INTO invitations (digest, peer, expires_at, serial)
    VALUES (decode(repeat('01', 32), 'hex'), 'suzhou', now(), '2f');
UPDATE invitations SET serial = NULL;

-- carried_evidence: append_only
INSERT INTO chain_clients (peer, client, chain_id, latest_revision, latest_height, trust_numerator,
    trust_denominator, trusting_period, max_clock_drift, counterparty_prefix)
    VALUES ('hangzhou', 'c-1', 'suzhou-1', 1, 1, 1, 3, 1, 1, '{}');
INSERT INTO carried_evidence (peer, number, chain_peer, client) VALUES ('suzhou', 1, 'hangzhou', 'c-1');
DELETE FROM carried_evidence;

-- fk_carried_evidence_peer_number
INSERT INTO chain_clients (peer, client, chain_id, latest_revision, latest_height, trust_numerator,
    trust_denominator, trusting_period, max_clock_drift, counterparty_prefix)
    VALUES ('hangzhou', 'c-1', 'suzhou-1', 1, 1, 1, 3, 1, 1, '{}');
INSERT INTO carried_evidence (peer, number, chain_peer, client) VALUES ('suzhou', 9, 'hangzhou', 'c-1');

-- hub_clients: stays
DELETE FROM hub_clients;

-- peers: revision_rises
UPDATE peers SET display_name = 'x';

-- peers: stays
DELETE FROM peers;

-- lanes: state_moves
UPDATE lanes SET state = 'PAUSED';

-- lanes: state_moves
UPDATE lanes SET state = 'OPENING', revision = revision + 1;

-- lanes: state_moves
UPDATE lanes SET first_sequence = 9;

-- lanes: stays
DELETE FROM lanes;

-- lane_openings: ends_once
UPDATE lane_openings SET state = 'RUNNING';

-- reopenings: append_only
INSERT INTO reopenings (lane_id, sequence, outcome_index, height, proof) VALUES (1, 1, 0, 5, 'p');
DELETE FROM reopenings;

-- headers: append_only
DELETE FROM headers;

-- validator_sets: append_only
DELETE FROM validator_sets;

-- evidence: append_only
DELETE FROM evidence;

-- audit_events: append_only
DELETE FROM audit_events;

-- headers: not_emptied
TRUNCATE headers CASCADE;

-- validator_sets: not_emptied
TRUNCATE validator_sets CASCADE;

-- evidence: not_emptied
TRUNCATE evidence CASCADE;

-- audit_events: not_emptied
TRUNCATE audit_events CASCADE;

-- packets: not_emptied
TRUNCATE packets CASCADE;

-- proofs: not_emptied
TRUNCATE proofs CASCADE;

-- outcomes: not_emptied
TRUNCATE outcomes;

-- append_only
UPDATE packets SET content = 'y';

-- append_only
DELETE FROM packets;

-- append_only
UPDATE outcomes SET kind = 'ABSENCE', content = '';

-- append_only
DELETE FROM outcomes;

-- append_only
UPDATE proofs SET content = 'y';

-- append_only
DELETE FROM proofs;

-- append_only
UPDATE headers SET root = content;

-- append_only
UPDATE evidence SET first = 'y';

-- append_only
UPDATE audit_events SET identity = 'y';

-- append_only
UPDATE validator_sets SET content = 'y';

-- allowed
INSERT INTO chain_clients (peer, client, chain_id, latest_revision, latest_height, trust_numerator, trust_denominator, trusting_period, max_clock_drift, counterparty_prefix)
    VALUES ('suzhou', 'a-1', 'x', 0, 1, 1, 3, 1, 0, '{}');

-- allowed
INSERT INTO lane_openings (plan, source, destination, from_sequence, ordering, allow_routes, author)
    VALUES (decode(repeat('01', 32), 'hex'), 'suzhou', 'hangzhou', 1, 'UNORDERED', '{}', 'x');

-- ck_hub_clients_header_hash
INSERT INTO hub_clients (peer, client_type, chain_id, anchor_revision, anchor_height, header_hash, next_validators_hash, trust_numerator, trust_denominator, trusting_period, max_clock_drift, prefix)
    VALUES ('shanghai', 'x', 'x', 0, 1, decode(repeat('00', 32), 'hex'), decode(repeat('01', 32), 'hex'), 1, 3, 1, 0, '{}');

-- ck_hub_clients_next_validators_hash
INSERT INTO hub_clients (peer, client_type, chain_id, anchor_revision, anchor_height, header_hash, next_validators_hash, trust_numerator, trust_denominator, trusting_period, max_clock_drift, prefix)
    VALUES ('shanghai', 'x', 'x', 0, 1, decode(repeat('01', 32), 'hex'), decode(repeat('00', 32), 'hex'), 1, 3, 1, 0, '{}');

-- ck_hub_clients_anchor
INSERT INTO hub_clients (peer, client_type, chain_id, anchor_revision, anchor_height, header_hash, next_validators_hash, trust_numerator, trust_denominator, trusting_period, max_clock_drift, prefix)
    VALUES ('shanghai', 'x', 'x', 0, 0, decode(repeat('01', 32), 'hex'), decode(repeat('01', 32), 'hex'), 1, 3, 1, 0, '{}');

-- ck_hub_clients_trust_level
INSERT INTO hub_clients (peer, client_type, chain_id, anchor_revision, anchor_height, header_hash, next_validators_hash, trust_numerator, trust_denominator, trusting_period, max_clock_drift, prefix)
    VALUES ('shanghai', 'x', 'x', 0, 1, decode(repeat('01', 32), 'hex'), decode(repeat('01', 32), 'hex'), 4, 3, 1, 0, '{}');

-- ck_hub_clients_periods
INSERT INTO hub_clients (peer, client_type, chain_id, anchor_revision, anchor_height, header_hash, next_validators_hash, trust_numerator, trust_denominator, trusting_period, max_clock_drift, prefix)
    VALUES ('shanghai', 'x', 'x', 0, 1, decode(repeat('01', 32), 'hex'), decode(repeat('01', 32), 'hex'), 1, 3, 0, 0, '{}');

-- fk_hub_clients_peer
INSERT INTO hub_clients (peer, client_type, chain_id, anchor_revision, anchor_height, header_hash, next_validators_hash, trust_numerator, trust_denominator, trusting_period, max_clock_drift, prefix)
    VALUES ('shanghai', 'x', 'x', 0, 1, decode(repeat('01', 32), 'hex'), decode(repeat('01', 32), 'hex'), 1, 3, 1, 0, '{}');

-- ck_chain_clients_trust_level
INSERT INTO chain_clients (peer, client, chain_id, latest_revision, latest_height, trust_numerator, trust_denominator, trusting_period, max_clock_drift, counterparty_prefix)
    VALUES ('suzhou', 'a-1', 'x', 0, 1, 0, 3, 1, 0, '{}');

-- ck_chain_clients_periods
INSERT INTO chain_clients (peer, client, chain_id, latest_revision, latest_height, trust_numerator, trust_denominator, trusting_period, max_clock_drift, counterparty_prefix)
    VALUES ('suzhou', 'a-1', 'x', 0, 1, 1, 3, 1, -1, '{}');

-- ck_evidence_number
INSERT INTO evidence (peer, number, reason, first, second, digest)
    VALUES ('suzhou', 0, 'x', 'x', 'x', 'x');

-- uq_evidence_peer_digest
INSERT INTO evidence (peer, number, reason, first, second, digest)
    SELECT peer, 9, reason, first, second, digest FROM evidence;

-- ck_lane_openings_plan
INSERT INTO lane_openings (plan, source, destination, from_sequence, ordering, allow_routes, author)
    VALUES (decode(repeat('00', 32), 'hex'), 'suzhou', 'hangzhou', 1, 'UNORDERED', '{}', 'x');

-- ck_lane_openings_ordering
INSERT INTO lane_openings (plan, source, destination, from_sequence, ordering, allow_routes, author)
    VALUES (decode(repeat('01', 32), 'hex'), 'suzhou', 'hangzhou', 1, 'ODD', '{}', 'x');

-- ck_lanes_ordering
INSERT INTO lanes (name, source_peer, source_client, destination_peer, destination_client, state,
    ordering, first_sequence)
    VALUES ('suzhou~a-1~hangzhou~b-1', 'suzhou', 'a-1', 'hangzhou', 'b-1', 'OPEN', 'ODD', 1);

-- ck_lanes_first_sequence
INSERT INTO lanes (name, source_peer, source_client, destination_peer, destination_client, state,
    ordering, first_sequence)
    VALUES ('suzhou~a-1~hangzhou~b-1', 'suzhou', 'a-1', 'hangzhou', 'b-1', 'OPEN', 'UNORDERED', 0);

-- ck_lane_sides_numbers
INSERT INTO lane_sides (lane_id, side, peer, gate) VALUES (1, 'SOURCE', 'x', 0);

-- ck_closed_holes_side
INSERT INTO closed_holes VALUES (1, 'MIDDLE', 'DONE', 5, 6);

-- ck_leases_epoch
INSERT INTO leases (peer, epoch) VALUES ('shanghai', 0);

-- ck_relayers_relayer
INSERT INTO relayers (relayer, address, version) VALUES ('', 'a:1', '1')

-- allowed
INSERT INTO relayers (relayer, address, version) VALUES ('east-1', 'a:1', '1')

-- ck_forwarded_requests_kind
INSERT INTO forwarded_requests (peer, kind, content, asked_by, expires_at) VALUES ('suzhou', 'WISH', '', 'east-1', now())

-- ck_forwarded_requests_size
INSERT INTO forwarded_requests (peer, kind, content, asked_by, expires_at) VALUES ('suzhou', 'HELLO', decode(repeat('00', 2097153), 'hex'), 'east-1', now())

-- ck_forwarded_requests_answer
INSERT INTO forwarded_requests (peer, kind, content, asked_by, expires_at, reason) VALUES ('suzhou', 'HELLO', '', 'east-1', now(), 'INTERNAL')

-- fk_forwarded_requests_peer
INSERT INTO forwarded_requests (peer, kind, content, asked_by, expires_at) VALUES ('nowhere', 'HELLO', '', 'east-1', now())

-- allowed
INSERT INTO forwarded_requests (peer, kind, content, asked_by, expires_at) VALUES ('suzhou', 'HELLO', '', 'east-1', now())
