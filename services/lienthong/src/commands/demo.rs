//! `lienthong demo`: everything in one process and one folder, with a tour.

use std::{
    io::{self, Write as _},
    path::PathBuf,
};

use anyhow::Result;
use lienthong::{
    demo::{Demo, Options},
    process::{Runtime, ended},
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Folder of everything the demonstration keeps.
    #[arg(long, default_value = ".lienthong")]
    data_dir: PathBuf,
    /// Address that agencies reach; port 0 lets the system choose.
    #[arg(long, default_value = "127.0.0.1:7443")]
    listen: String,
    /// Synthetic persons in a new register.
    #[arg(long, default_value_t = 500)]
    persons: usize,
    /// Ends after the tour.
    #[arg(long)]
    exit: bool,
}

pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let mut out = io::stdout();
    let end = ended()?;
    let options = Options {
        folder: arguments.data_dir,
        listen: arguments.listen,
        persons: arguments.persons,
        seed: 1911,
    };
    let demo = Demo::start(&options, Runtime::system()).await?;
    let folder = options.folder.display();
    writeln!(out, "lienthong: all services at {}, everything in {folder}/", demo.endpoint())?;
    writeln!(
        out,
        "All persons are synthetic; their numbers start with 990 to 999, as nobody's do."
    )?;
    let toured = demo.tour(&mut out).await;
    if toured.is_ok() && !arguments.exit {
        let file = options.folder.join("demo.json");
        write!(out, "{}", by_hand(&file.display().to_string(), &folder.to_string()))?;
        write!(out, "{}", by_curl(&demo, &folder.to_string()))?;
        end.await;
        writeln!(out, "\nStopping.")?;
    }
    demo.stop().await;
    toured
}

/// The same over HTTP, by the certificates of this demonstration.
fn by_curl(demo: &Demo, folder: &str) -> String {
    let curl = |caller: &str, url: Option<String>, path: &str| {
        let pki = format!("{folder}/pki");
        url.map(|url| {
            format!(
                "  curl --cacert {pki}/ca.pem --cert {pki}/{caller}.pem --key {pki}/{caller}.key {url}{path}\n"
            )
        })
    };
    let entries = curl("auditor", demo.log_for_auditors(), "/tile/entries/000.p/1 | xxd");
    let usage = curl("portal", demo.usage(), "/v3/heartbeat");
    [entries, usage].into_iter().flatten().collect()
}

/// Commands that show the same by hand.
fn by_hand(file: &str, folder: &str) -> String {
    format!(
        "\nServing until Ctrl-C. To try by hand, in another terminal:\n  \
         lienthong lookup --demo {file} --subject child --item birth_full_name --item ethnic_group\n  \
         lienthong verify --demo {file} --subject adult --claim sex=code:sex/1/1\n  \
         lienthong contribute --example | lienthong contribute --demo {file} -\n  \
         lienthong audit checkpoint --data-dir {folder}\n  \
         lienthong audit verify {folder}/tour\n  \
         any gRPC client with {file}: endpoint, CA, callers, subjects\n"
    )
}
