//! Between which steps a process stands still, and how.

use std::time::Duration;

use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, DbBackend, Statement};

/// A number of its own among the locks of a database.
const STOP: i64 = 1_911_005;

/// Between which steps a process stands still.
pub(super) struct Step {
    pub(super) name: &'static str,
    /// Whose database.
    pub(super) database: &'static str,
    /// Before what it waits: the event of a trigger; none for the row that writers of the register take their turn at.
    before: Option<&'static str>,
}

pub(super) const STEPS: [Step; 6] = [
    Step {
        name: "before it is stored",
        database: "contribution",
        before: Some("INSERT ON submission"),
    },
    Step { name: "stored, and not applied", database: "identity", before: None },
    Step {
        name: "written, and not committed",
        database: "identity",
        before: Some("INSERT ON application"),
    },
    Step { name: "committed, and not recorded", database: "audit", before: Some("INSERT ON leaf") },
    Step {
        name: "applied, and not known to be",
        database: "contribution",
        before: Some("UPDATE OF outcome ON submission"),
    },
    Step {
        name: "recorded, and the answer not kept",
        database: "contribution",
        before: Some("UPDATE OF answer ON submission"),
    },
];

/// Has a step of a service wait for the lock of [`Lock`], for as long as somebody has that.
pub(super) async fn stands_still(url: &str, step: &Step) {
    let Some(before) = step.before else { return };
    let database = Database::connect(url).await.unwrap();
    let name = step.name.replace([' ', ','], "_");
    // Others of the same step do not wait for each other.
    let sql = format!(
        "CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         PERFORM pg_advisory_xact_lock_shared({}); RETURN NEW; END $$; \
         CREATE TRIGGER {name} BEFORE {before} FOR EACH ROW EXECUTE FUNCTION {name}()",
        step.lock()
    );
    database.execute_unprepared(&sql).await.unwrap();
    database.close().await.unwrap();
}

impl Step {
    fn lock(&self) -> i64 {
        let place = STEPS.iter().position(|step| step.name == self.name).unwrap();
        STOP + place as i64
    }
}

/// What a step waits for.
pub(super) struct Lock(DatabaseConnection);

impl Lock {
    pub(super) async fn take(url: &str, step: &Step) -> Self {
        let mut options = sea_orm::ConnectOptions::new(url);
        options.max_connections(1).sqlx_logging(false);
        let database = Database::connect(options).await.unwrap();
        let sql = match step.before {
            Some(_) => format!("BEGIN; SELECT pg_advisory_xact_lock({})", step.lock()),
            None => "BEGIN; SELECT version FROM register WHERE id = 1 FOR UPDATE".to_owned(),
        };
        database.execute_unprepared(&sql).await.unwrap();
        Self(database)
    }

    /// Waits until somebody waits for it.
    pub(super) async fn is_waited_for(&self) {
        let waits = "SELECT COUNT(*) FROM pg_locks \
                     WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))";
        loop {
            let waits = Statement::from_string(DbBackend::Postgres, waits);
            let row = self.0.query_one_raw(waits).await.unwrap().unwrap();
            if row.try_get_by::<i64, _>(0).unwrap() > 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    pub(super) async fn release(self) {
        self.0.execute_unprepared("COMMIT").await.unwrap();
        self.0.close().await.unwrap();
    }
}
