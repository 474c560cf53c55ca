-- Takes revision 0001 back: nothing of the registry remains.

DROP TABLE
    schema_floor, requests, audit_events, exceptions, timeout_batches, retired, outcomes, packets,
    proofs, lane_openings, routes, closed_holes, lane_sides, lanes, leases, evidence, chain_clients,
    headers, validator_sets, hub_clients, peers;
DROP SEQUENCE proof_ids;
DROP FUNCTION refuse();
DROP FUNCTION range_count(int8multirange);
