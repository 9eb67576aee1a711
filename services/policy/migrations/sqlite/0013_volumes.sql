-- How many persons were leased of what a signed grant allows in one period, of which this is the first day, and how many of them
-- whoever leased them said to have told of. Kept when the agreement has ended: what was used stays used.
CREATE TABLE grant_volume (
    agreement   TEXT NOT NULL,
    action      TEXT NOT NULL,
    procedure   TEXT NOT NULL,
    legal_basis TEXT NOT NULL,
    period      TEXT NOT NULL CHECK (length(period) = 10),
    persons     INTEGER NOT NULL CHECK (persons > 0),
    leased      INTEGER NOT NULL CHECK (leased BETWEEN 0 AND persons),
    used        INTEGER NOT NULL CHECK (used BETWEEN 0 AND leased),
    PRIMARY KEY (agreement, action, procedure, legal_basis, period)
) STRICT;

-- Leases. `used` is empty until they are given back; what never is counts as used.
CREATE TABLE volume_lease (
    lease         TEXT NOT NULL PRIMARY KEY,
    agreement     TEXT NOT NULL,
    action        TEXT NOT NULL,
    procedure     TEXT NOT NULL,
    legal_basis   TEXT NOT NULL,
    period        TEXT NOT NULL,
    persons       INTEGER NOT NULL CHECK (persons > 0),
    expires_at_us INTEGER NOT NULL,
    used          INTEGER CHECK (used BETWEEN 0 AND persons),
    FOREIGN KEY (agreement, action, procedure, legal_basis, period) REFERENCES grant_volume
) STRICT;

CREATE INDEX volume_lease_of_grant ON volume_lease (agreement, action, procedure, legal_basis, expires_at_us);
