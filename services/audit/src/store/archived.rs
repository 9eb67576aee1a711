//! A log brought back from an archive, in one transaction.

use ::store::{QueryResult, Sql, Store, Transaction};
use serde::Serialize;
use tlog::{Hash, LEAF_LEN};

use super::{Checkpoint, cosigned::SHOW, json, keys, number, rows::Rows, signed, signers};
use crate::{
    ArchiveError, Error,
    domain::{About, Certificate, Erasure},
    envelope::{Sealed, Wrapped},
};

/// Whether anything at all was recorded, or a process ever started. When records could be written, in `alive`, says nothing of what.
const ANY: Sql = Sql {
    sqlite: "SELECT EXISTS (SELECT 1 FROM leaf) + EXISTS (SELECT 1 FROM node) \
                  + EXISTS (SELECT 1 FROM opening) + EXISTS (SELECT 1 FROM opening_clear) \
                  + EXISTS (SELECT 1 FROM record_key) + EXISTS (SELECT 1 FROM data_key) \
                  + EXISTS (SELECT 1 FROM erasure) + EXISTS (SELECT 1 FROM subject_entry) \
                  + EXISTS (SELECT 1 FROM signer_certificate) + EXISTS (SELECT 1 FROM pruning) \
                  + EXISTS (SELECT 1 FROM checkpoint) + EXISTS (SELECT 1 FROM cosigned)",
    postgres: "SELECT (EXISTS (SELECT 1 FROM leaf) OR EXISTS (SELECT 1 FROM node) \
                    OR EXISTS (SELECT 1 FROM opening) OR EXISTS (SELECT 1 FROM opening_clear) \
                    OR EXISTS (SELECT 1 FROM record_key) OR EXISTS (SELECT 1 FROM data_key) \
                    OR EXISTS (SELECT 1 FROM erasure) OR EXISTS (SELECT 1 FROM subject_entry) \
                    OR EXISTS (SELECT 1 FROM signer_certificate) OR EXISTS (SELECT 1 FROM pruning) \
                    OR EXISTS (SELECT 1 FROM checkpoint) OR EXISTS (SELECT 1 FROM cosigned))::int::bigint",
};
/// Whoever has the log open meanwhile waits for the row, and is fenced then.
const BEGIN: Sql = Sql {
    sqlite: "UPDATE log_state SET size = ?, epoch = epoch + 1 WHERE id = 1 AND size = 0",
    postgres: "UPDATE log_state SET size = $1, epoch = epoch + 1 WHERE id = 1 AND size = 0",
};
const INSERT_ERASURES: Sql = Sql {
    sqlite: "INSERT INTO erasure (position, document, time_ms) \
             SELECT value ->> 'position', value ->> 'document', value ->> 'time_ms' FROM json_each(?)",
    postgres: "INSERT INTO erasure (position, document, time_ms) \
               SELECT position, document, time_ms FROM json_to_recordset($1::json) \
                    AS r(position BIGINT, document TEXT, time_ms BIGINT)",
};

/// Records that follow on one another, and what they add to the tree.
#[derive(Default)]
pub(crate) struct Page {
    /// Indexes, record ids and leaves.
    pub(crate) leaves: Vec<(u64, [u8; 16], [u8; LEAF_LEN])>,
    pub(crate) nodes: Vec<(u64, Hash)>,
    /// Keys of days that have none yet.
    pub(crate) days: Vec<(String, Wrapped)>,
    /// What opens the records that can be opened.
    pub(crate) sealed: Vec<Sealed>,
    /// Those that were erased, with their contexts.
    pub(crate) erased: Vec<(u64, String, Erasure)>,
    /// Under whom they stand.
    pub(crate) about: Vec<(u64, About)>,
    pub(crate) certificates: Vec<Certificate>,
}

/// Whoever reads an archive.
pub(crate) trait Pages: Send + 'static {
    /// How many records there are.
    fn size(&self) -> u64;
    /// The next records; none behind the last one.
    fn next(&mut self) -> impl Future<Output = Result<Option<Page>, ArchiveError>> + Send;
    /// Checkpoints over all that was read, and over nothing, each with the note that others signed, too, where there is one.
    fn checkpoints(&self) -> Result<Vec<(Checkpoint, Option<String>)>, ArchiveError>;
}

/// Brings a log back into an empty database, in one transaction. Gives back whoever read it.
///
/// # Errors
/// [`ArchiveError::NotEmpty`], and what is wrong with a page; nothing is written then.
pub(crate) async fn bring_back<P: Pages>(
    store: &Store,
    mut pages: P,
    time_ms: u64,
) -> Result<P, ArchiveError> {
    store
        .write("import", move |tx| {
            Box::pin(async move {
                if !begin(tx, pages.size()).await? {
                    return Err(ArchiveError::NotEmpty);
                }
                while let Some(page) = pages.next().await? {
                    insert(tx, page, time_ms).await?;
                }
                for (checkpoint, cosigned) in pages.checkpoints()? {
                    sign(tx, &checkpoint, cosigned, time_ms).await?;
                }
                Ok(pages)
            })
        })
        .await
}

/// Whether nothing was ever recorded, and no process ever started.
pub(crate) async fn is_empty(store: &Store) -> Result<bool, Error> {
    none(&store.read(&ANY, Vec::new()).await?)
}

fn none(rows: &[QueryResult]) -> Result<bool, Error> {
    Ok(number(rows.first().ok_or(::store::Error::NoRow)?, 0)? == 0)
}

/// Makes an empty log one of this size, whose records are still to come in the same transaction. Says whether it is one.
async fn begin(tx: &Transaction, size: u64) -> Result<bool, Error> {
    // First, so that nobody appends from then on.
    let begun = tx.execute(&BEGIN, vec![signed(size)?.into()]).await?;
    let empty = none(&tx.query(&ANY, Vec::new()).await?)?;
    Ok(begun == 1 && empty)
}

/// Adds records. Those under a name are numbered after those that are there.
async fn insert(tx: &Transaction, page: Page, time_ms: u64) -> Result<(), Error> {
    let Page { leaves, nodes, days, sealed, erased, about, certificates } = page;
    for (day, key) in days {
        keys::insert_data_key(tx, &day, key).await?;
    }
    let mut rows = Rows::default();
    leaves.iter().for_each(|(index, id, leaf)| rows.leaf(*index, id, leaf));
    nodes.iter().for_each(|(place, hash)| rows.node(*place, hash));
    sealed.iter().for_each(|one| rows.sealed(one));
    erased.iter().for_each(|(index, context, _)| rows.erased(*index, context));
    about.iter().for_each(|(index, about)| rows.about(*index, about));
    rows.insert(tx).await?;
    let erasures: Vec<_> = erased.iter().map(ErasureRow::from).collect();
    tx.execute(&INSERT_ERASURES, vec![json(&erasures)?.into()]).await?;
    signers::insert(tx, certificates.iter(), time_ms).await
}

/// Adds a checkpoint that the log signed, and, where others did, too, what they signed.
async fn sign(
    tx: &Transaction,
    checkpoint: &Checkpoint,
    cosigned: Option<String>,
    time_ms: u64,
) -> Result<(), Error> {
    let mut rows = Rows::default();
    rows.checkpoint(checkpoint, time_ms);
    rows.insert(tx).await?;
    if let Some(note) = cosigned {
        let (size, time) = (signed(checkpoint.size)?, signed(time_ms)?);
        tx.execute(&SHOW, vec![size.into(), note.into(), time.into()]).await?;
    }
    Ok(())
}

#[derive(Serialize)]
struct ErasureRow<'a> {
    position: u64,
    document: &'a str,
    time_ms: u64,
}

impl<'a> From<&'a (u64, String, Erasure)> for ErasureRow<'a> {
    fn from((position, _, erasure): &'a (u64, String, Erasure)) -> Self {
        let Erasure { document, time_ms, .. } = erasure;
        Self { position: *position, document, time_ms: *time_ms }
    }
}
