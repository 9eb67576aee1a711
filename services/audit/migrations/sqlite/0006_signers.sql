-- Certificates by which requests were signed, each once: their signatures can be verified when they have long ended.
CREATE TABLE signer_certificate (
    thumbprint BLOB PRIMARY KEY, -- SHA-256 of the DER
    der        BLOB NOT NULL,
    time_ms    INTEGER NOT NULL -- of the batch that brought it
);
