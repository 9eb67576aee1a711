-- Records by time, which is the leaf's bytes 17 to 24, big-endian, so that bytes are ordered as times are: a period is counted without
-- reading what is not of it.
CREATE INDEX leaf_time ON leaf (substring(leaf FROM 17 FOR 8), position);
