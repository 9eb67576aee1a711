//! What the moves of admissions, of agreements and of rule sets have in common: what each is answered is kept with it.

use ::store::{QueryResult, Sql, Store, TryGetable, Value};
use time::Date;

use super::DAY;
use crate::Error;

/// An answer with its receipt, both as bytes.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    /// The answer.
    pub(crate) answer: Vec<u8>,
    /// The receipt.
    pub(crate) receipt: Vec<u8>,
}

/// Stores what a move is answered, by the first statement, and gives what is stored, by the second: the first answer stands. `id`
/// names what was moved.
pub(super) async fn keep(
    store: &Store,
    [put, read]: [&'static Sql; 2],
    id: String,
    version: u64,
    kept: Kept,
) -> Result<Kept, Error> {
    let version = signed(version)?;
    store
        .write("keep answer", move |tx| {
            Box::pin(async move {
                let Kept { answer, receipt } = kept;
                let values: Vec<Value> =
                    vec![answer.into(), receipt.into(), id.clone().into(), version.into()];
                tx.execute(put, values).await?;
                let rows = tx.query(read, vec![id.into(), version.into()]).await?;
                let row = rows.first().ok_or(::store::Error::NoRow)?;
                Ok(Kept { answer: field(row, 0)?, receipt: field(row, 1)? })
            })
        })
        .await
}

/// What a row of a move holds of its answer, in two columns; none while it is not recorded.
pub(super) fn kept(
    row: &QueryResult,
    [answer, receipt]: [usize; 2],
) -> Result<Option<Kept>, Error> {
    let (answer, receipt): (Option<Vec<u8>>, Option<Vec<u8>>) =
        (field(row, answer)?, field(row, receipt)?);
    Ok(answer.zip(receipt).map(|(answer, receipt)| Kept { answer, receipt }))
}

pub(super) fn field<T: TryGetable>(row: &QueryResult, place: usize) -> Result<T, ::store::Error> {
    Ok(row.try_get_by(place)?)
}

pub(super) fn written(day: Date) -> Result<String, Error> {
    day.format(DAY).map_err(|_| Error::Stored("a day cannot be written"))
}

pub(super) fn signed(version: u64) -> Result<i64, Error> {
    i64::try_from(version).map_err(|_| Error::Stored("a version"))
}
