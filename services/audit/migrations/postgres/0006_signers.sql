-- Certificates by which requests were signed, each once: their signatures can be verified when they have long ended.
CREATE TABLE signer_certificate (
    thumbprint BYTEA PRIMARY KEY, -- SHA-256 of the DER
    der        BYTEA NOT NULL,
    time_ms    BIGINT NOT NULL -- of the batch that brought it
);
