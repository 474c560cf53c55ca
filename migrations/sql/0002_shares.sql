-- Revision 0002, its part of fair shares: how many packets a route takes.

ALTER TABLE routes
    ADD COLUMN limit_packets BIGINT DEFAULT 0 NOT NULL,
    ADD COLUMN limit_period BIGINT DEFAULT 0 NOT NULL,
    ADD COLUMN limit_burst BIGINT DEFAULT 0 NOT NULL,
    ADD CONSTRAINT ck_routes_rate_bounds
        CHECK (limit_packets >= 0 AND limit_period >= 0 AND limit_burst >= 0),
    ADD CONSTRAINT ck_routes_rate
        CHECK ((limit_packets = 0) = (limit_period = 0) AND (limit_packets = 0) = (limit_burst = 0));
