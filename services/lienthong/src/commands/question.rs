//! What every question to the register takes, whatever it asks about a person.

use std::path::PathBuf;

use anyhow::Result;
use contract::r#type::v1::AccessBasis;
use lienthong::process::Runtime;

use super::{
    connection::Connected,
    evidence::Folder,
    ground::Ground,
    output::{Ending, Output},
};

/// The items that are asked for.
#[derive(clap::Args)]
pub(super) struct Items {
    /// Id of a wanted item; repeat it, or separate ids by commas.
    #[arg(
        long = "item",
        id = "items",
        help_heading = "Request",
        value_name = "ID",
        required = true,
        value_delimiter = ','
    )]
    pub(super) ids: Vec<String>,
}

/// The version that an answer must have seen.
#[derive(clap::Args)]
pub(super) struct MinVersion {
    /// The answer must have seen at least this version of the register.
    #[arg(long, help_heading = "Request", value_name = "VERSION", default_value_t = 0)]
    pub(super) min_version: u64,
}

/// Id, ground, and what becomes of the answer.
#[derive(clap::Args)]
pub(super) struct Question {
    /// The caller's own id of the request; made up when not given.
    #[arg(long, help_heading = "Request", value_name = "ID")]
    request_id: Option<String>,
    /// Folder for the exact request, answer and receipt, which `audit verify` checks. The files hold
    /// personal data.
    #[arg(long, help_heading = "Result", value_name = "FOLDER")]
    save: Option<PathBuf>,
    #[command(flatten, next_help_heading = "Ground")]
    ground: Ground,
    #[command(flatten)]
    pub(super) output: Output,
}

impl Question {
    /// The ground: as said, or else the caller's own in a demonstration.
    pub(super) fn basis(&self, connected: &Connected) -> Result<AccessBasis, Ending> {
        self.ground.clone().or(connected.ground.clone()).whole()
    }

    /// The ground: as said, or else of the task that the command is for, or else the caller's own in a demonstration.
    pub(super) fn basis_of(
        &self,
        task: Ground,
        connected: &Connected,
    ) -> Result<AccessBasis, Ending> {
        self.ground.clone().or(task).or(connected.ground.clone()).whole()
    }

    /// The id, made up when not given.
    pub(super) fn request_id(&self) -> String {
        self.request_id.clone().unwrap_or_else(|| Runtime::system().entropy.id())
    }

    /// The folder for request, answer and receipt, if one is wanted.
    pub(super) fn folder(&self) -> Result<Option<Folder>> {
        self.save.as_deref().map(Folder::prepare).transpose()
    }
}
