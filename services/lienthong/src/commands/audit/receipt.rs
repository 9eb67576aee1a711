//! `lienthong audit verify`: the check of one receipt, from files alone.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use super::super::output::{Format, Output};

/// A folder with `request.bin`, `answer.bin`, `leaf.bin`, `opening.bin` and `receipt.tlog-proof`, and
/// the log's key. Or one with a copy of the log.
#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("trusted").args(["log_key", "policy"])))]
pub(crate) struct Arguments {
    /// Folder that holds the files of one call; with `--copy`, a copy of the log.
    pub(super) folder: PathBuf,
    /// The folder is a copy of the log, as `audit mirror` makes it. What is checked is said here, and never by the folder.
    #[arg(long, requires = "trusted")]
    pub(super) copy: bool,
    /// File of the log's verifier key (C2SP vkey); of a receipt `log.vkey` in the folder when not given. Take it
    /// from a source you trust, not from whoever gave you the receipt.
    #[arg(long, value_name = "FILE")]
    pub(super) log_key: Option<PathBuf>,
    /// File of a policy (C2SP tlog-policy), instead of the log's key: the copy's checkpoint must be of a log that it names, and cosigned
    /// by as many witnesses as it says.
    #[arg(long, value_name = "FILE", requires = "copy")]
    pub(super) policy: Option<PathBuf>,
    /// File of a checkpoint that the copy must extend: one that was kept, or the `receipt.tlog-proof` of a call.
    #[arg(long, value_name = "FILE", requires = "copy")]
    pub(super) extends: Option<PathBuf>,
    #[command(flatten)]
    pub(super) output: Output,
}

pub(crate) fn run(arguments: &Arguments, out: &mut impl Write) -> Result<()> {
    let bytes = |name: &str| read(&arguments.folder.join(name));
    let text = |path: &Path| Ok::<_, anyhow::Error>(String::from_utf8(read(path)?)?);
    let key = arguments.log_key.clone().unwrap_or_else(|| arguments.folder.join("log.vkey"));
    let log = tlog::LogVerifier::new(&text(&key)?)?;
    let file = tlog::ProofFile::parse(&text(&arguments.folder.join("receipt.tlog-proof"))?)?;
    let evidence = tlog::Evidence {
        request: &bytes("request.bin")?,
        answer: &bytes("answer.bin")?,
        leaf: &bytes("leaf.bin")?,
        index: file.index,
        proof: &file.proof,
        checkpoint: &file.checkpoint,
        opening: &bytes("opening.bin")?,
    };
    let verified = tlog::verify_receipt(&evidence, &log).context("the receipt does not hold")?;
    match arguments.output.format {
        Format::Text => writeln!(
            out,
            "The receipt holds.\n  record  {} of {} in the log\n  time    {} ms since 1970\n  \
             method  {}\n  caller  {}",
            file.index, verified.size, verified.time_ms, verified.method, verified.caller
        )?,
        Format::Json => writeln!(
            out,
            "{}",
            serde_json::json!({
                "what": "receipt",
                "holds": true,
                "index": file.index,
                "size": verified.size,
                "time_ms": verified.time_ms,
                "method": verified.method,
                "caller": verified.caller,
            })
        )?,
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/receipt");

    /// `UPDATE=1` rewrites the committed sample.
    #[test]
    fn the_committed_sample_is_what_the_formats_say_and_holds() {
        let made = folder();
        for entry in fs::read_dir(made.path()).unwrap() {
            let entry = entry.unwrap();
            let committed = Path::new(SAMPLE).join(entry.file_name());
            if std::env::var_os("UPDATE").is_some() {
                fs::create_dir_all(SAMPLE).unwrap();
                fs::copy(entry.path(), &committed).unwrap();
            }
            assert_eq!(
                fs::read(entry.path()).unwrap(),
                fs::read(&committed).unwrap_or_default(),
                "{} differs; rewrite it with UPDATE=1",
                committed.display()
            );
        }
        assert!(check(Path::new(SAMPLE)).unwrap().contains("\"holds\":true"));
    }

    /// The files of one call, in a log of three records.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let signer = tlog::LogSigner::from_seed("lienthong.test/access/demo", [7; 32]).unwrap();
        let (key, context) = ([1; 32], sample_context());
        let (request, answer) = (b"sample request".as_slice(), b"sample answer".as_slice());
        let digests = (tlog::digest(request), tlog::digest(answer));
        let outer = tlog::outer_commitment(&key, &context, &digests.0, &digests.1);
        let inner = tlog::inner_commitment(&[2; 32], b"decision");
        let leaf =
            tlog::Leaf { time_ms: 1_795_500_000_000, record_id: [3; 16], outer, inner }.to_bytes();
        let mut tree = tlog::Tree::default();
        for other in [tlog::leaf_hash(b"a"), tlog::leaf_hash(&leaf), tlog::leaf_hash(b"b")] {
            tree.append(other).unwrap();
        }
        let proof = tlog::ProofFile {
            index: 1,
            proof: tlog::prove_inclusion(1, 3, tree.known()).unwrap(),
            checkpoint: signer.sign(3, &tree.root().unwrap()).unwrap(),
        };
        let (proof, opening) = (proof.to_text(), tlog::opening(&key, &context));
        let files: [(&str, &[u8]); 6] = [
            ("request.bin", request),
            ("answer.bin", answer),
            ("leaf.bin", &leaf),
            ("opening.bin", &opening),
            ("receipt.tlog-proof", proof.as_bytes()),
            ("log.vkey", signer.verifier_key().as_bytes()),
        ];
        for (name, bytes) in files {
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        folder
    }

    fn sample_context() -> String {
        tlog::context(
            "/lienthong.identity.v1.IdentityService/GetPerson",
            "spiffe://lienthong.test/agency/SAMPLE/system/sample",
        )
    }

    fn check(folder: &Path) -> Result<String> {
        let mut out = Vec::new();
        let folder = folder.to_owned();
        run(
            &Arguments {
                folder,
                copy: false,
                log_key: None,
                policy: None,
                extends: None,
                output: Output { format: Format::Json },
            },
            &mut out,
        )?;
        Ok(String::from_utf8(out)?)
    }

    #[test]
    fn i1_the_command_accepts_the_files_and_refuses_each_with_one_byte_changed() {
        let folder = folder();
        assert!(check(folder.path()).unwrap().contains("\"holds\":true"));
        for name in ["request.bin", "answer.bin", "leaf.bin", "opening.bin", "receipt.tlog-proof"] {
            let path = folder.path().join(name);
            let whole = fs::read(&path).unwrap();
            let mut changed = whole.clone();
            *changed.last_mut().unwrap() ^= 1;
            fs::write(&path, changed).unwrap();
            assert!(check(folder.path()).is_err(), "{name}");
            fs::remove_file(&path).unwrap();
            assert!(check(folder.path()).is_err(), "{name} is missing");
            fs::write(&path, whole).unwrap();
        }
    }
}
