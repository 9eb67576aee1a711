//! Warrants that were taken: each is taken once, by whichever process of this database it comes to (rules LKP-48, LKP-52).

use store::Sql;

use super::Database;
use crate::Error;

const FORGET: Sql = Sql {
    sqlite: "DELETE FROM used_warrant WHERE forget_at <= ?",
    postgres: "DELETE FROM used_warrant WHERE forget_at <= $1",
};
// Of two that come at once the second waits for the first, and finds it.
const TAKE: Sql = Sql {
    sqlite: "INSERT INTO used_warrant (jti, forget_at) VALUES (?, ?) ON CONFLICT (jti) DO NOTHING",
    postgres: "INSERT INTO used_warrant (jti, forget_at) VALUES ($1, $2) ON CONFLICT (jti) DO NOTHING",
};

impl Database {
    /// Takes warrants, each by its id and the second from which on it may be forgotten: all of them, or none.
    ///
    /// # Errors
    /// [`Error::WarrantUsed`] where one was taken before; then none is taken.
    pub(crate) async fn take_warrants(
        &self,
        mut warrants: Vec<(String, i64)>,
    ) -> Result<(), Error> {
        // In one order, so that two calls with the same ones do not wait for each other.
        warrants.sort_unstable();
        self.store
            .write("take warrants", move |tx| {
                Box::pin(async move {
                    for (jti, forget_at) in warrants {
                        if tx.execute(&TAKE, vec![jti.into(), forget_at.into()]).await? == 0 {
                            return Err(Error::WarrantUsed);
                        }
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Forgets those that could not be taken any more.
    pub(crate) async fn forget_warrants(&self, now: i64) -> Result<(), Error> {
        self.store
            .write("forget warrants", move |tx| {
                Box::pin(async move {
                    tx.execute(&FORGET, vec![now.into()]).await?;
                    Ok(())
                })
            })
            .await
    }
}
