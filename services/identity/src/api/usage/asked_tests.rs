#![allow(clippy::unwrap_used, reason = "tests")]
use super::*;

fn wants(query: &str) -> Result<Wanted, Vec<String>> {
    let mut faults = Faults::default();
    let wanted = wanted(&Parameters::read(query, &mut faults), String::new(), &mut faults);
    let fields: Vec<String> = faults.fields().map(str::to_owned).collect();
    if fields.is_empty() { Ok(wanted.unwrap()) } else { Err(fields) }
}

/// An access of this moment.
fn at(time_ms: u64) -> RecordedAccess {
    let leaf = tlog::Leaf { time_ms, record_id: [0; 16], outer: [0; 32], inner: [0; 32] };
    RecordedAccess { leaf: leaf.to_bytes().to_vec(), ..RecordedAccess::default() }
}

#[test]
fn what_is_not_said_is_everything_but_bulk() {
    let wanted = wants("").unwrap();
    assert!(wanted.responses && wanted.processings && !wanted.bulk && wanted.systems.is_empty());
    assert_eq!((wanted.from_ms, wanted.until_ms, wanted.offset), (0, 0, 0));
    assert_eq!(wanted.limit, 1_000);
    assert!(wanted.is_of(&at(0)) && wanted.is_of(&at(u64::MAX)));
}

#[test]
fn each_parameter_narrows_what_is_wanted() {
    let wanted = wants(
        "processingType=DATA_RESPONSE&processingType=DATA_REQUEST&includeBulkProcessing=true\
         &logSourceSystems=identity&logSourceSystems=%C4%90&limit=10000&offset=7\
         &periodStart=1970-01-01T00:00:02Z&periodEnd=1970-01-01T07:00:03.5%2B07:00",
    )
    .unwrap();
    assert!(wanted.responses && !wanted.processings && wanted.bulk);
    assert_eq!(
        (wanted.systems, wanted.limit, wanted.offset),
        (vec!["identity".to_owned(), "Đ".to_owned()], TOLD_MAX, 7)
    );
    assert_eq!((wanted.from_ms, wanted.until_ms), (2_000, 3_501));
}

#[test]
fn a_period_has_both_its_ends_and_what_waited_is_not_taken_for_older() {
    let wanted = wants("periodStart=1970-01-01T00:00:02Z&periodEnd=1970-01-01T00:00:05Z").unwrap();
    for (moment, is) in [(1_999, false), (2_000, true), (5_000, true), (5_001, false)] {
        assert_eq!(wanted.is_of(&at(moment)), is, "{moment}");
    }
    assert!(wanted.has_period() && !wants("").unwrap().has_period());
    let later = wants("periodStart=1970-01-02T00:00:00Z").unwrap();
    assert!(later.is_past(&at(3_600_000)) && !later.is_past(&at(23 * 3_600_000)));
    assert!(!later.is_past(&RecordedAccess::default()), "of an archived one no time is known");
}

#[test]
fn every_faulty_parameter_is_named_and_no_strange_one_is_repeated() {
    let named = wants(
        "processingType=X&includeBulkProcessing=yes&periodStart=yesterday&periodEnd=%zz&limit=0\
         &limit=3&offset=-1&990204000001=1",
    )
    .err()
    .unwrap();
    for field in [PROCESSING_TYPE, BULK, PERIOD_START, PERIOD_END, LIMIT, OFFSET, "query"] {
        assert!(named.iter().any(|name| name == field), "{field} of {named:?}");
    }
    assert!(named.iter().all(|field| !field.contains("990204")), "{named:?}");
    for (query, field) in [
        ("limit=10001", LIMIT),
        ("limit=", LIMIT),
        ("periodStart=1970-01-02T00:00:00Z&periodEnd=1970-01-01T00:00:00Z", PERIOD_END),
    ] {
        assert_eq!(wants(query).err().unwrap(), [field], "{query}");
    }
}

#[test]
fn dates_are_read_as_far_as_they_are_known() {
    let check = |text: &str, expect: Option<(i32, i32, i32)>| {
        let expect = expect.map(|(year, month, day)| PartialDate { year, month, day });
        assert_eq!(date(text), expect, "{text}");
    };
    check("2001-05-30", Some((2001, 5, 30)));
    check("2001-05", Some((2001, 5, 0)));
    check("2001", Some((2001, 0, 0)));
    for bad in ["", "2001-5-30", "30-05-2001", "2001-05-30-1", "2001-05-30T00:00", "-001"] {
        check(bad, None);
    }
}

#[test]
fn percent_signs_stand_for_utf_8() {
    assert_eq!(decoded("Nguy%E1%BB%85n%20A".as_bytes()).as_deref(), Some("Nguyễn A"));
    for bad in ["%", "%4", "%zz", "%C4"] {
        assert_eq!(decoded(bad.as_bytes()), None, "{bad}");
    }
}

#[test]
fn a_record_commits_to_the_line_and_the_headers_that_count() {
    let request = Request::builder()
        .uri("/v3/findUsage?userCode=VN1&limit=2")
        .header("accept", "*/*")
        .header("lienthong-full-name", "A%20B")
        .header("x-road-userid", "VN1")
        .body(())
        .unwrap();
    let expect =
        "GET /v3/findUsage?userCode=VN1&limit=2\nX-Road-UserId: VN1\nLienthong-Full-Name: A%20B\n";
    assert_eq!(String::from_utf8(recorded(&request)).unwrap(), expect);
}
