//! The log as it is stored, and what must be true of it after every step.

use std::collections::HashMap;

use super::{super::*, world::RECORDS};
use crate::sequencer::Place;

/// A table of the log as it is, without its keys.
const WITHOUT_KEYS: [&str; 6] =
    ["leaf", "opening", "record_key", "subject_entry", "node", "checkpoint"];

const ROWS: Sql = Sql::same(
    "SELECT 'leaf', position, leaf FROM leaf \
     UNION ALL SELECT 'node', position, hash FROM node \
     UNION ALL SELECT 'opening', position, NULL FROM opening \
     UNION ALL SELECT 'key', position, NULL FROM record_key \
     UNION ALL SELECT 'subject', position, CAST(subject || ' ' || number AS BLOB) FROM subject_entry \
     UNION ALL SELECT 'checkpoint', size, CAST(note AS BLOB) FROM checkpoint \
     UNION ALL SELECT 'size', size, NULL FROM log_state \
     UNION ALL SELECT 'epoch', epoch, NULL FROM log_state \
     ORDER BY 1, 2",
);

/// A place, and what is there.
type Row = (i64, Option<Vec<u8>>);

/// What was stored when somebody looked last.
#[derive(Default)]
pub(super) struct Stored {
    /// The numbers of the records, in their order.
    records: Vec<usize>,
    checkpoints: Vec<(u64, Hash)>,
    epoch: i64,
    /// Checkpoints whose signatures were checked.
    signed: HashMap<String, (u64, Hash)>,
}

impl Stored {
    pub(super) async fn without_keys(&self, store: &Store) {
        let mut all = Vec::new();
        for table in WITHOUT_KEYS {
            all.push(format!("CREATE TABLE bare AS SELECT * FROM {table}"));
            all.push(format!("DROP TABLE {table}"));
            all.push(format!("ALTER TABLE bare RENAME TO {table}"));
        }
        let leak = |text: String| Sql::same(Box::leak(text.into_boxed_str()));
        execute(store, all.into_iter().map(leak).collect()).await;
    }

    pub(super) async fn empty(&mut self, store: &Store) {
        let all = [
            "DELETE FROM leaf",
            "DELETE FROM opening",
            "DELETE FROM record_key",
            "DELETE FROM subject_entry",
            "DELETE FROM node",
            "DELETE FROM checkpoint",
            "UPDATE log_state SET size = 0, epoch = 0",
        ];
        execute(store, all.into_iter().map(Sql::same).collect()).await;
        let signed = std::mem::take(&mut self.signed);
        *self = Self { signed, ..Self::default() };
    }

    /// All that there is, in a form that is equal for what is equal.
    pub(super) fn digest(&self) -> (Vec<usize>, Vec<u64>, i64) {
        let sizes = self.checkpoints.iter().map(|(size, _)| *size).collect();
        (self.records.clone(), sizes, self.epoch)
    }

    /// Looks again. The log only grows; each record is in it once, with what opens it; every hash and every checkpoint is the
    /// one of the leaves.
    pub(super) async fn grows(&mut self, store: &Store) -> Result<(), String> {
        let rows = store.read(&ROWS, Vec::new()).await.unwrap();
        let mut tables: HashMap<String, Vec<Row>> = HashMap::new();
        for row in &rows {
            let table = tables.entry(row.try_get_by(0).unwrap()).or_default();
            table.push((row.try_get_by(1).unwrap(), row.try_get_by(2).unwrap()));
        }
        let mut table = |name: &str| tables.remove(name).unwrap_or_default();
        let (mut records, mut nodes, mut roots) = (Vec::new(), Vec::new(), HashMap::new());
        let mut tree = tlog::Tree::default();
        roots.insert(0, tree.root().unwrap());
        for (index, (position, leaf)) in (0..).zip(table("leaf")) {
            if position != index {
                return Err(format!("place {index} is held twice, or by nobody"));
            }
            let leaf = leaf.unwrap_or_default();
            let number = RECORDS.iter().position(|record| record.leaf == leaf.as_slice());
            let number = number.ok_or("a leaf that nobody sent")?;
            if records.contains(&number) {
                return Err(format!("record {number} is there twice"));
            }
            records.push(number);
            nodes.extend(tree.append(tlog::leaf_hash(&leaf)).unwrap());
            roots.insert(tree.size(), tree.root().unwrap());
        }
        if !records.starts_with(&self.records) {
            return Err(format!("{:?} became {records:?}: lost or reordered", self.records));
        }
        let stored: Vec<_> =
            table("node").into_iter().map(|(at, hash)| (at, hash.unwrap())).collect();
        if stored
            .iter()
            .map(|(at, hash)| (at.unsigned_abs(), hash.as_slice()))
            .ne(nodes.iter().map(|(at, hash)| (*at, hash.as_slice())))
        {
            return Err("hashes that are not those of the leaves".to_owned());
        }
        for kept in ["opening", "key"] {
            let at: Vec<_> = table(kept).into_iter().map(|(at, _)| at).collect();
            if at.iter().copied().ne(0..i64::try_from(records.len()).unwrap()) {
                return Err(format!("{kept}: not those of the leaves"));
            }
        }
        numbered(&records, table("subject"))?;
        let mut checkpoints = Vec::new();
        for (size, note) in table("checkpoint") {
            let note = String::from_utf8(note.unwrap()).unwrap();
            let signed = self.signed(&note)?;
            if signed.0 != size.unsigned_abs() || roots.get(&signed.0) != Some(&signed.1) {
                return Err(format!("the checkpoint of {size} is not that of its leaves"));
            }
            checkpoints.push(signed);
        }
        let newest = checkpoints.last().map_or(0, |(size, _)| *size);
        let size = table("size").first().map_or(-1, |(size, _)| *size);
        if newest != tree.size() || size.unsigned_abs() != newest {
            return Err("size, leaves and newest checkpoint do not agree".to_owned());
        }
        let epoch = table("epoch").first().map_or(-1, |(epoch, _)| *epoch);
        *self = Self { records, checkpoints, epoch, signed: std::mem::take(&mut self.signed) };
        Ok(())
    }

    /// What a client was told is what is stored, now.
    pub(super) fn holds(&mut self, record: usize, place: &Place) -> Result<(), String> {
        let index = usize::try_from(place.index).unwrap();
        if self.records.get(index) != Some(&record) {
            return Err(format!("record {record}, which has place {index}, is lost"));
        }
        let (size, root) = self.signed(&place.checkpoint)?;
        if !self.checkpoints.contains(&(size, root)) {
            return Err(format!("the checkpoint of {size}, which was given out, is lost"));
        }
        let leaf = tlog::leaf_hash(&RECORDS[record].leaf);
        tlog::verify_inclusion(place.index, size, &leaf, &place.proof, &root)
            .map_err(|_| format!("the proof of record {record} does not hold"))
    }

    fn signed(&mut self, note: &str) -> Result<(u64, Hash), String> {
        if let Some(signed) = self.signed.get(note) {
            return Ok(*signed);
        }
        let signed = log().verify(note).map_err(|_| "a checkpoint that is not signed")?;
        self.signed.insert(note.to_owned(), (signed.size, signed.root));
        Ok((signed.size, signed.root))
    }
}

/// Each record has the next number under whom it is about.
fn numbered(records: &[usize], rows: Vec<(i64, Option<Vec<u8>>)>) -> Result<(), String> {
    let mut counts: HashMap<&str, u64> = HashMap::new();
    let expected = (0..).zip(records).filter_map(|(position, record)| {
        let subject = RECORDS[*record].about.as_ref()?.subject.as_str();
        let count = counts.entry(subject).or_default();
        *count += 1;
        Some((position, Some(format!("{subject} {count}").into_bytes())))
    });
    if expected.ne(rows) {
        return Err("numbers under a subject that are not those of its records".to_owned());
    }
    Ok(())
}
