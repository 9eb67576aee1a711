//! `lienthong serve`: one service, or every service in one process.

use anyhow::Result;
use lienthong::{
    process::{self, Runtime, ended},
    settings::{self, Settings as _},
};

use super::{ServiceArguments, ServiceName};

pub(crate) async fn run(arguments: &ServiceArguments) -> Result<()> {
    let end = ended()?;
    let file = arguments.config.as_deref();
    let runtime = Runtime::system();
    match arguments.service {
        ServiceName::All => {
            let all = process::All::start(settings::All::load(file)?, runtime).await?;
            tracing::info!(address = %all.address(), "serving");
            end.await;
            tracing::info!("draining");
            all.stop().await;
            tracing::info!("ended");
            Ok(())
        }
        ServiceName::Identity => {
            process::identity(settings::Identity::load(file)?, runtime, end).await
        }
        ServiceName::Contribution => {
            process::contribution(settings::Contribution::load(file)?, runtime, end).await
        }
        ServiceName::Exchange => {
            process::exchange(settings::Exchange::load(file)?, runtime, end).await
        }
        ServiceName::Policy => process::policy(settings::Policy::load(file)?, runtime, end).await,
        ServiceName::Audit => process::audit(settings::Audit::load(file)?, end).await,
    }
}
