//! Keeps every record folded by the rules of authority of today (I5), and says when one may not be.

use std::{sync::LazyLock, time::Duration};

use opentelemetry::{global, metrics::Gauge};

use crate::{Refolded, Service};

/// How often a day may have brought other rules.
const LOOK_AT_RULES: Duration = Duration::from_secs(600);

/// Looks again and again, because other processes, a day or a restored database may bring other rules. `folded` says
/// whether everybody is folded by the rules of today as it begins.
pub(crate) async fn keep_folded(service: Service, folded: bool) {
    let mut known = Ok(folded);
    loop {
        match known {
            Ok(true) => {}
            Ok(false) => {
                // Until it is done, records are of both kinds.
                other_rules().record(1, &[]);
                match service.refold().await {
                    Ok(Refolded { persons, changed }) => {
                        tracing::info!(persons, changed, "folded by the rules of today");
                    }
                    Err(error) => tracing::error!(%error, "the register could not be folded anew"),
                }
                known = is_folded(&service).await;
            }
            Err(_) => {}
        }
        match &known {
            Ok(folded) => other_rules().record(u64::from(!folded), &[]),
            // As far as anybody can tell.
            Err(error) => tracing::error!(%error, "by which rules the register is folded"),
        }
        tokio::time::sleep(LOOK_AT_RULES).await;
        known = is_folded(&service).await;
    }
}

async fn is_folded(service: &Service) -> Result<bool, crate::Error> {
    let rules = service.store.rules(service.shared.app.clock.today());
    service.store.is_folded_by(&rules).await
}

/// Whether records may be folded by other rules than those of today.
fn other_rules() -> &'static Gauge<u64> {
    static OTHER_RULES: LazyLock<Gauge<u64>> = LazyLock::new(|| {
        global::meter("lienthong")
            .u64_gauge("lienthong.identity.other_rules")
            .with_description(
                "Whether records may be folded by other rules of authority than those of today",
            )
            .build()
    });
    &OTHER_RULES
}
