//! How long it takes to put records into the archive and to bring a log back, beside how long it took to record them:
//!
//! `LIENTHONG_TEST_SCALE=full cargo test --release -p audit --lib figures_of_the_archive -- --nocapture`

use std::time::Instant;

use futures::StreamExt as _;

use super::{
    archive::{imported, kept},
    fsck::checked,
    pruning::pruned,
    *,
};

/// Records; and those of them that are pruned.
fn scale() -> (u64, u64) {
    let full = std::env::var("LIENTHONG_TEST_SCALE").as_deref() == Ok("full");
    if full { (100_000, 90_112) } else { (600, 512) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_of_the_archive() {
    for engine in ENGINES {
        let (records, below) = scale();
        let setup = Setup::new(engine).await;
        let config = Config { batch_max: 256, queue_max: 4096, ..setup.config() };
        let service = open(&config).await.unwrap();
        let began = Instant::now();
        let each = (0..records).map(|number| recorded(&service, number));
        futures::stream::iter(each).buffer_unordered(256).for_each(async |_| ()).await;
        let mut told = vec![("recorded", records, began.elapsed())];
        service.close().await;
        let mut step = |what, of: u64, began: Instant| told.push((what, of, began.elapsed()));

        let began = Instant::now();
        let archive = kept(&setup).await;
        step("copied and exported", records, began);
        let began = Instant::now();
        let done = pruned(&setup, &archive, below).await.unwrap();
        step("pruned", done.deleted, began);
        assert_eq!((done.minimum, done.deleted, done.size), (below, below, records));
        let other = Setup::new(engine).await;
        let began = Instant::now();
        let back = imported(&other, &archive).await.unwrap();
        step("brought back", back.size, began);
        let began = Instant::now();
        let found = checked(&other).await;
        step("checked by fsck", found.size, began);
        assert_eq!((found.size, found.root, found.damages), (records, Some(back.root), Vec::new()));
        for (what, records, took) in told {
            let rate = records as f64 / took.as_secs_f64();
            println!(
                "{engine:?} {what:<20} {records:>7} records {:>7.1} s {rate:>7.0} a second",
                took.as_secs_f64()
            );
        }
    }
}
