#![allow(clippy::unwrap_used, reason = "tests")]
use proptest::prelude::*;
use time::macros::date;

use super::*;

const TERM: (Date, Date) = (date!(2026 - 01 - 15), date!(2027 - 06 - 01));

#[test]
fn a_period_is_a_day_a_month_or_the_term() {
    let of = |period: Period, day| period.of(day, TERM);
    let day = date!(2026 - 12 - 31);
    assert_eq!(of(Period::Day, day), (day, date!(2027 - 01 - 01)));
    assert_eq!(of(Period::Month, day), (date!(2026 - 12 - 01), date!(2027 - 01 - 01)));
    assert_eq!(of(Period::Term, day), TERM);
    let leap = date!(2028 - 02 - 29);
    let long = (TERM.0, date!(2030 - 01 - 01));
    assert_eq!(Period::Month.of(leap, long), (date!(2028 - 02 - 01), date!(2028 - 03 - 01)));
    // The last one ends with what is granted.
    let last = date!(2027 - 05 - 31);
    assert_eq!(of(Period::Day, last).1, TERM.1);
    assert_eq!(
        Period::Month.of(date!(2026 - 03 - 20), (TERM.0, date!(2026 - 03 - 21))).1,
        date!(2026 - 03 - 21)
    );
}

proptest! {
    #[test]
    fn every_day_is_in_one_period_and_no_two_overlap(days in 0_i64..400) {
        let day = TERM.0 + time::Duration::days(days);
        for period in [Period::Day, Period::Month, Period::Term] {
            let (begins, ends) = period.of(day, TERM);
            prop_assert!(begins <= day && day < ends);
            let last = ends.previous_day().unwrap();
            prop_assert_eq!(period.of(last, TERM), (begins, ends));
        }
    }

    #[test]
    fn a_lease_is_never_more_than_is_left(left: u64, needed in 1_u32..=1000, more in 0_u32..100_000) {
        let wanted = needed + more;
        let leased = u64::from(leased(left, needed, wanted));
        prop_assert!(leased <= left);
        prop_assert!(leased <= wanted.into());
        prop_assert!(leased >= left.min(needed.into()));
        prop_assert!(leased <= u64::from(needed).max(left / PART));
    }

    #[test]
    fn a_grant_is_read_as_it_was_written(agreement in "[a-z0-9-]{1,20}", procedure in "[a-z-]{1,20}") {
        let legal_basis = "1911-2021-art-2-1".to_owned();
        let key = GrantKey { agreement, act: Act::Obtain, procedure, legal_basis };
        let written = key.written();
        prop_assert_eq!(GrantKey::of(&format!("{written}00")), None);
        prop_assert_eq!(GrantKey::of(written.get(2..).unwrap()).as_ref() == Some(&key), false);
        prop_assert_eq!(GrantKey::of(&written), Some(key));
    }
}
