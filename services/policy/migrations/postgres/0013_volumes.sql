-- How many persons were leased of what a signed grant allows in one period, of which this is the first day, and how many of them
-- whoever leased them said to have told of. Kept when the agreement has ended: what was used stays used.
CREATE TABLE grant_volume (
    agreement   TEXT NOT NULL,
    action      TEXT NOT NULL,
    procedure   TEXT NOT NULL,
    legal_basis TEXT NOT NULL,
    period      TEXT NOT NULL CHECK (length(period) = 10),
    persons     BIGINT NOT NULL CHECK (persons > 0),
    leased      BIGINT NOT NULL CHECK (leased BETWEEN 0 AND persons),
    used        BIGINT NOT NULL CHECK (used BETWEEN 0 AND leased),
    PRIMARY KEY (agreement, action, procedure, legal_basis, period)
);

-- Leases. `used` is empty until they are given back; what never is counts as used.
CREATE TABLE volume_lease (
    lease         TEXT NOT NULL PRIMARY KEY,
    agreement     TEXT NOT NULL,
    action        TEXT NOT NULL,
    procedure     TEXT NOT NULL,
    legal_basis   TEXT NOT NULL,
    period        TEXT NOT NULL,
    persons       BIGINT NOT NULL CHECK (persons > 0),
    expires_at_us BIGINT NOT NULL,
    used          BIGINT CHECK (used BETWEEN 0 AND persons),
    FOREIGN KEY (agreement, action, procedure, legal_basis, period) REFERENCES grant_volume
);

CREATE INDEX volume_lease_of_grant ON volume_lease (agreement, action, procedure, legal_basis, expires_at_us);
