//! What a batch adds, to all tables at once: each statement is a way to the engine and back, and while it goes on all that comes waits.

use ::store::{Sql, Transaction};
use serde::Serialize;
use tlog::{Hash, LEAF_LEN};

use super::{Checkpoint, json};
use crate::{Error, domain::About, envelope::Sealed};

/// Each value is the rows of one table. An access has the number after the last one of its subject, and so on where a batch has several
/// of one.
const INSERT: Sql = Sql {
    sqlite: "INSERT INTO leaf (position, record_id, leaf) \
             SELECT value ->> 'position', unhex(value ->> 'record_id'), unhex(value ->> 'leaf') \
             FROM json_each(?); \
             INSERT INTO opening (position, context, sealed) \
             SELECT value ->> 'position', value ->> 'context', unhex(value ->> 'sealed') \
             FROM json_each(?); \
             INSERT INTO record_key (position, day, wrapped) \
             SELECT value ->> 'position', value ->> 'day', unhex(value ->> 'wrapped') \
             FROM json_each(?); \
             INSERT INTO subject_entry (subject, position, number, time_ms, sealed_until_ms) \
             SELECT r.value ->> 'subject', r.value ->> 'position', \
                    COALESCE((SELECT e.number FROM subject_entry e WHERE e.subject = r.value ->> 'subject' \
                              ORDER BY e.position DESC LIMIT 1), 0) \
                    + ROW_NUMBER() OVER (PARTITION BY r.value ->> 'subject' ORDER BY r.value ->> 'position'), \
                    r.value ->> 'time_ms', r.value ->> 'sealed_until_ms' \
             FROM json_each(?) r WHERE true; \
             INSERT INTO node (position, hash) \
             SELECT value ->> 'position', unhex(value ->> 'hash') FROM json_each(?); \
             INSERT INTO checkpoint (size, root, note, time_ms) \
             SELECT value ->> 'size', unhex(value ->> 'root'), value ->> 'note', value ->> 'time_ms' \
             FROM json_each(?)",
    postgres: "WITH leaves AS ( \
                   INSERT INTO leaf (position, record_id, leaf) \
                   SELECT position, decode(record_id, 'hex'), decode(leaf, 'hex') \
                   FROM json_to_recordset($1::json) \
                        AS r(position BIGINT, record_id TEXT, leaf TEXT)), \
               openings AS ( \
                   INSERT INTO opening (position, context, sealed) \
                   SELECT position, context, decode(sealed, 'hex') \
                   FROM json_to_recordset($2::json) \
                        AS r(position BIGINT, context TEXT, sealed TEXT)), \
               record_keys AS ( \
                   INSERT INTO record_key (position, day, wrapped) \
                   SELECT position, day, decode(wrapped, 'hex') \
                   FROM json_to_recordset($3::json) \
                        AS r(position BIGINT, day TEXT, wrapped TEXT)), \
               subject_entries AS ( \
                   INSERT INTO subject_entry (subject, position, number, time_ms, sealed_until_ms) \
                   SELECT r.subject, r.position, \
                          COALESCE((SELECT e.number FROM subject_entry e WHERE e.subject = r.subject \
                                    ORDER BY e.position DESC LIMIT 1), 0) \
                          + ROW_NUMBER() OVER (PARTITION BY r.subject ORDER BY r.position), \
                          r.time_ms, r.sealed_until_ms \
                   FROM json_to_recordset($4::json) \
                        AS r(subject TEXT, position BIGINT, time_ms BIGINT, sealed_until_ms BIGINT)), \
               nodes AS ( \
                   INSERT INTO node (position, hash) \
                   SELECT position, decode(hash, 'hex') \
                   FROM json_to_recordset($5::json) AS r(position BIGINT, hash TEXT)) \
               INSERT INTO checkpoint (size, root, note, time_ms) \
               SELECT size, decode(root, 'hex'), note, time_ms \
               FROM json_to_recordset($6::json) \
                    AS r(size BIGINT, root TEXT, note TEXT, time_ms BIGINT)",
};

/// Rows as JSON, because both engines unfold that in a statement: no limit on the number of parameters, and one prepared statement for
/// every size of batch.
#[derive(Default)]
pub(super) struct Rows<'a> {
    leaves: Vec<Leaf>,
    openings: Vec<Opening<'a>>,
    record_keys: Vec<RecordKey<'a>>,
    subjects: Vec<SubjectEntry<'a>>,
    nodes: Vec<Node>,
    checkpoints: Vec<SignedCheckpoint<'a>>,
}

#[derive(Serialize)]
struct Leaf {
    position: u64,
    record_id: String,
    leaf: String,
}

#[derive(Serialize)]
struct Opening<'a> {
    position: u64,
    context: &'a str,
    sealed: String,
}

#[derive(Serialize)]
struct RecordKey<'a> {
    position: u64,
    day: &'a str,
    wrapped: String,
}

#[derive(Serialize)]
struct SubjectEntry<'a> {
    subject: &'a str,
    position: u64,
    time_ms: u64,
    sealed_until_ms: u64,
}

#[derive(Serialize)]
struct Node {
    position: u64,
    hash: String,
}

#[derive(Serialize)]
struct SignedCheckpoint<'a> {
    size: u64,
    root: String,
    note: &'a str,
    time_ms: u64,
}

impl<'a> Rows<'a> {
    pub(super) fn leaf(&mut self, position: u64, record_id: &[u8; 16], leaf: &[u8; LEAF_LEN]) {
        let (record_id, leaf) = (hex::encode(record_id), hex::encode(leaf));
        self.leaves.push(Leaf { position, record_id, leaf });
    }

    /// What opens a record, and the key to it.
    pub(super) fn sealed(&mut self, one: &'a Sealed) {
        let Sealed { position, context, sealed, day, wrapped } = one;
        let (position, sealed, wrapped) = (*position, hex::encode(sealed), hex::encode(wrapped));
        self.openings.push(Opening { position, context, sealed });
        self.record_keys.push(RecordKey { position, day, wrapped });
    }

    /// What is left of a record whose key was erased: method and caller.
    pub(super) fn erased(&mut self, position: u64, context: &'a str) {
        self.openings.push(Opening { position, context, sealed: String::new() });
    }

    /// Under whom a record stands.
    pub(super) fn about(&mut self, position: u64, about: &'a About) {
        let (subject, time_ms) = (about.subject.as_str(), about.time_ms);
        let sealed_until_ms = about.sealed_until_ms;
        self.subjects.push(SubjectEntry { subject, position, time_ms, sealed_until_ms });
    }

    /// A hash of the tree.
    pub(super) fn node(&mut self, position: u64, hash: &Hash) {
        self.nodes.push(Node { position, hash: hex::encode(hash) });
    }

    pub(super) fn checkpoint(&mut self, checkpoint: &'a Checkpoint, time_ms: u64) {
        let Checkpoint { size, root, note } = checkpoint;
        let (size, root) = (*size, hex::encode(root));
        self.checkpoints.push(SignedCheckpoint { size, root, note, time_ms });
    }

    /// Adds them. Also to tables for which there are none: whoever counts statements sees no difference (I7).
    pub(super) async fn insert(&self, tx: &Transaction) -> Result<(), Error> {
        let Self { leaves, openings, record_keys, subjects, nodes, checkpoints } = self;
        let values = [
            json(leaves)?,
            json(openings)?,
            json(record_keys)?,
            json(subjects)?,
            json(nodes)?,
            json(checkpoints)?,
        ];
        tx.execute(&INSERT, values.map(Into::into).into()).await?;
        Ok(())
    }
}
