//! The log of a demonstration, pruned and brought back.

use std::{fs, path::PathBuf};

use ::audit::{Pruning, Retention, Target};
use server::runtime::Clock;

use super::*;

/// As if the records were old: no command lets anybody say what time it is.
async fn pruned_in_years(at: &str, copy: &str, openings: &str) -> u64 {
    let clock = Runtime::system().clock.now() + time::Duration::days(4_000);
    let key = fs::read_to_string(format!("{at}/log.vkey")).unwrap();
    let log = tlog::LogVerifier::new(&key).unwrap();
    let copy = super::super::audit::copy::Copy::at(Path::new(copy));
    let (archive, _lock) = copy.archive(&[PathBuf::from(openings)]).unwrap();
    let document = "9/QD".to_owned();
    let order =
        Pruning { target: Target::Below(300), retention: Retention { days: 1_827 }, document };
    let database = format!("sqlite://{at}/audit.db");
    let clock = Clock::fixed(clock);
    let done = ::audit::prune(&database, &log, archive, order, &clock, |_| ()).await.unwrap();
    assert_eq!((done.minimum, done.deleted), (256, 256));
    done.size
}

fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copied(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Once the demonstration has ended, and the keys of some records were erased. It is started once more.
pub(super) async fn a_log_goes_into_its_archive_and_comes_back(options: &Options) {
    let at = options.folder.display().to_string();
    let (config, openings) = (format!("{at}/audit.toml"), format!("{at}/archived-openings"));
    let (copy, demo) = (format!("{at}/copy"), format!("{at}/demo.json"));
    let export = ["audit", "export", "--config", &config];
    run(&[&export[..], &[&openings]].concat()).await.unwrap();
    let order = ["audit", "prune", "--config", &config, "--document", "9/QD"];
    let archive = ["--copy", &copy, "--openings", &openings];
    let prune = |more: &[&'static str]| {
        let all = [&order[..], &archive, more].concat();
        async move { run(&all).await }
    };
    // It is of today, whatever is wished.
    let young = prune(&["--below", "256"]).await.unwrap_err();
    assert!(format!("{young:#}").contains("younger than the retention of 1827 days"), "{young:#}");
    let young = prune(&["--until", "2999-01-01"]).await.unwrap_err();
    assert!(format!("{young:#}").contains("of 1827 days: what is of 20"), "{young:#}");
    let nothing = prune(&["--until", "2020-01-01", "--format", "json"]).await.unwrap();
    let nothing: Value = serde_json::from_str(&nothing).unwrap();
    assert_eq!((&nothing["minimum_index"], &nothing["deleted"]), (&0.into(), &0.into()));
    let short = format!("{at}/retention.toml");
    fs::write(&short, "days = 30\n").unwrap();
    let short = [&order[..], &archive, &["--below", "256", "--retention", &short]].concat();
    assert!(format!("{:#}", run(&short).await.unwrap_err()).contains("at least 366"));
    for wrong in [&[][..], &["--below", "1", "--until", "2020-01-01"], &["--until", "yesterday"]] {
        assert!(usage(prune(wrong).await), "{wrong:?}");
    }

    let size = pruned_in_years(&at, &copy, &openings).await;
    let fsck = ["audit", "fsck", "--config", &config];
    let sound = json(&fsck).await;
    assert_eq!((&sound["sound"], &sound["pruned"]), (&true.into(), &256.into()));
    assert_eq!((sound["size"].as_u64(), &sound["left"]), (Some(size), &0.into()));
    let shown = json(&["audit", "checkpoint", "--config", &config]).await;
    assert_eq!(shown["minimum_index"], 256);
    let archived = run(&["audit", "signature", "--config", &config, "--record", "7"]).await;
    assert!(format!("{:#}", archived.unwrap_err()).contains("in the archive"));
    let erase = ["audit", "erase", "--config", &config, "--document", "10/QD", "--record", "9"];
    let erased = json(&erase).await;
    assert_eq!((&erased["erased"], &erased["archived"]), (&1.into(), &1.into()));

    // It is served; a copy that reaches as far goes on, and another one is begun with that of the archive.
    let keys = ["new.key", "kek.key"].map(|name| fs::read(format!("{at}/{name}")).unwrap());
    fs::write(format!("{at}/kek.key"), keys.concat()).unwrap();
    let served = Demo::start(options, Runtime::system()).await.unwrap();
    let looked = ["lookup", "--demo", &demo, "--subject", "adult", "--item", "sex"];
    assert_eq!(json(&looked).await["receipt"]["checked"], true);
    let other = format!("{at}/begun");
    let refused = run(&["audit", "mirror", "--demo", &demo, &other]).await.unwrap_err();
    assert!(format!("{refused:#}").contains("no entries below 256"), "{refused:#}");
    copied(Path::new(&copy), Path::new(&other));
    let mirrored = json(&["audit", "mirror", "--demo", &demo, &other]).await;
    served.stop().await;

    let (back, later) = (format!("{at}/back.toml"), format!("{at}/later-openings"));
    let text = fs::read_to_string(&config).unwrap().replace("audit.db", "back.db");
    fs::write(&back, format!("{text}origin = \"{}\"\n", shown["origin"].as_str().unwrap()))
        .unwrap();
    let told = json(&[&export[..], &[&later]].concat()).await;
    assert_eq!(told["from"], 256);
    // The log has grown since it was mirrored, and an archive has openings of more records than its copy.
    let import = ["audit", "import", "--config", &back, "--copy", &other, "--openings"];
    let import = [&import[..], &[&openings, &later]].concat();
    let imported = json(&import).await;
    assert_eq!((&imported["size"], &imported["root"]), (&mirrored["size"], &mirrored["root"]));
    assert_eq!(imported["erased"], 4);
    let found = json(&["audit", "fsck", "--config", &back]).await;
    assert_eq!((&found["sound"], &found["pruned"]), (&true.into(), &0.into()));
    assert_eq!((&found["root"], &found["erased"]), (&mirrored["root"], &4.into()));
    let again = run(&import).await.unwrap_err();
    assert!(format!("{again:#}").contains("not empty"), "{again:#}");
}
