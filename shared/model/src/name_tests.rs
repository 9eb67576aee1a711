#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]
use proptest::prelude::*;

use super::*;

fn key(text: &str, level: NameLevel) -> String {
    Name::new(text).unwrap().match_key(level)
}

#[test]
fn keeps_one_form() {
    for (text, kept) in [
        ("  Nguyễn   Văn\tAn ", "Nguyễn Văn An"),
        ("Nguyễn\u{A0}Văn\u{202F}An", "Nguyễn Văn An"),
        ("Nguyễn\u{200B} Văn\u{FEFF} An", "Nguyễn Văn An"),
        ("Nguye\u{302}\u{303}n", "Nguyễn"),
        ("Vie\u{323}\u{302}t", "Việt"),
        ("Vie\u{302}\u{323}t", "Việt"),
        ("Ðặng Thị Ðào", "Đặng Thị Đào"),
        ("HOÀ", "HOÀ"),
        ("H'Lan Êban", "H'Lan Êban"),
        ("Y Ƀăng Niê-Kđăm", "Y Ƀăng Niê-Kđăm"),
    ] {
        assert_eq!(Name::new(text).unwrap().as_str(), kept, "{text:?}");
    }
}

#[test]
fn refuses_what_is_no_name() {
    for (text, error) in [
        (String::new(), NameError::Empty),
        (" \u{A0}\u{200B} ".to_owned(), NameError::Empty),
        ("An\u{0}h".to_owned(), NameError::Control),
        ("ễ".repeat(101), NameError::TooLong),
    ] {
        assert_eq!(Name::new(&text).unwrap_err(), error, "{text:?}");
    }
    // Characters count, not bytes, and not the marks of a decomposed spelling.
    assert!(Name::new(&"ễ".repeat(100)).is_ok());
    assert!(Name::new(&"e\u{302}\u{303}".repeat(100)).is_ok());
}

#[test]
fn levels_fold_what_they_say() {
    use NameLevel::{L0, L1, L2, L3, L4};
    // Two names and the first level at which they are equal; None when they never are.
    for (left, right, first) in [
        ("Nguyễn Văn An", "Nguyễn  Văn An", Some(L0)),
        ("Nguyễn Văn An", "NGUYỄN VĂN AN", Some(L1)),
        ("Ðặng", "đặng", Some(L1)),
        ("Cấp", "Ca\u{301}\u{302}p", Some(L1)),
        ("Hoà", "Hòa", Some(L2)),
        ("HÒA", "hoà", Some(L2)),
        ("Khoẻ", "Khỏe", Some(L2)),
        ("Thuỷ", "Thủy", Some(L2)),
        ("Thuỷ Hoà", "Thủy Hòa", Some(L2)),
        ("Hoàn", "Hòan", Some(L2)),
        ("Quý", "Qúy", Some(L4)),
        ("Quý", "Quy", Some(L4)),
        ("Hoà", "Hoá", Some(L4)),
        ("Hoà", "Hoa", Some(L4)),
        ("Vân", "Văn", Some(L4)),
        ("Văn", "Vạn", Some(L4)),
        ("Đào", "Dao", Some(L4)),
        ("Văn An", "Vănan", Some(L4)),
        ("Lý", "Lí", Some(L3)),
        ("LÝ Mỹ Kỳ", "Lí Mĩ Kì", Some(L3)),
        ("Quý", "Quí", Some(L3)),
        ("H'Lan Êban", "H\u{2019}Lan Êban", Some(L3)),
        ("Niê-Kđăm", "Niê\u{2011}Kđăm", Some(L3)),
        ("H'Ly", "H'Li", Some(L3)),
        // Y by itself is a name, and beside a vowel another sound.
        ("Y Blok", "I Blok", Some(L4)),
        ("K'Y", "K'I", Some(L4)),
        ("Thúy", "Thúi", Some(L4)),
        ("Mây", "Mâi", Some(L4)),
        ("Yến", "Iến", Some(L4)),
        ("Ƀăng", "Bang", Some(L4)),
        ("Lỹ", "Lì", Some(L4)),
        ("Hoàng", "Huỳnh", None),
        ("Vũ", "Võ", None),
    ] {
        for level in NameLevel::ALL {
            let equal = key(left, level) == key(right, level);
            assert_eq!(
                equal,
                first.is_some_and(|first| level >= first),
                "{left} {right} {level:?}"
            );
        }
    }
}

#[test]
fn l2_leaves_other_vowels_alone() {
    for name in ["quý", "quỳnh", "giữ", "huệ", "thuở", "hoặc", "hoè", "mùa", "kh'yào"]
    {
        assert_eq!(key(name, NameLevel::L2), name);
    }
}

#[test]
fn l4_knows_what_todays_clients_send() {
    for (name, plain) in [
        ("Đỗ Thị Hoà", "DOTHIHOA"),
        ("H'Lan Êban", "HLANEBAN"),
        ("Nguyễn Văn An 2", "NGUIENVANAN2"),
        ("NGUYENVANAN2", "NGUIENVANAN2"),
    ] {
        assert_eq!(key(name, NameLevel::L4), plain);
    }
}

#[test]
fn i8_debug_shows_no_letter() {
    assert_eq!(format!("{:?}", Name::new("An").unwrap()), "Name([personal])");
}

#[test]
fn a_key_of_a_key_is_the_same() {
    // The modifier letter apostrophe counts as a letter, and the one that is written for it does not.
    // And of several tones the last one is written last, whatever stands between them.
    for text in ["bỷ\u{2BC}", "Ly\u{2BC}a", "H\u{2BC}Ly", "ấ\u{300}\u{302}", "ấ\u{302}\u{300}"]
    {
        for level in NameLevel::ALL {
            let key = Name::new(text).unwrap().match_key(level);
            assert_eq!(Name::new(&key).unwrap().match_key(level), key, "{text} {level:?}");
        }
    }
}

proptest! {
    #[test]
    fn keeping_twice_is_keeping_once(text in "\\PC{0,40}") {
        if let Ok(name) = Name::new(&text) {
            prop_assert_eq!(Name::new(name.as_str()).unwrap(), name);
        }
    }

    #[test]
    fn spelling_does_not_change_keys(text in "[a-zđăâêôơưáàảãạấầẩẫậếềểễệớờởỡợứừửữự ]{1,30}") {
        if let Ok(name) = Name::new(&text) {
            let apart = Name::new(&text.nfd().collect::<String>()).unwrap();
            for level in NameLevel::ALL {
                prop_assert_eq!(name.match_key(level), apart.match_key(level));
            }
        }
    }

    /// A key is itself a name with that key, so that keys of keys are the same.
    #[test]
    fn keys_are_idempotent(text in written()) {
        let Ok(name) = Name::new(&text) else { return Ok(()) };
        for level in NameLevel::ALL {
            let key = name.match_key(level);
            // One of which nothing is left, or that has grown too long, is no name.
            if let Ok(again) = Name::new(&key) {
                prop_assert_eq!(again.match_key(level), key, "{:?}", level);
            }
        }
    }

    /// What one level makes equal every later one does: names that differ by what a level folds, and any others.
    #[test]
    fn each_level_is_coarser_than_the_one_before(text in written(), other in written()) {
        let (Ok(name), Ok(other)) = (Name::new(&text), Name::new(&other)) else { return Ok(()) };
        let mut spellings: Vec<Name> = vec![name.clone(), other];
        spellings.extend(NameLevel::ALL.iter().filter_map(|level| Name::new(&name.match_key(*level)).ok()));
        for left in &spellings {
            for right in &spellings {
                let equal = |level: &NameLevel| left.match_key(*level) == right.match_key(*level);
                let first = NameLevel::ALL.iter().position(equal);
                let Some(first) = first else { continue };
                for level in &NameLevel::ALL[first..] {
                    prop_assert!(equal(level), "{:?} {} {}", level, left.as_str(), right.as_str());
                }
                if !left.match_key(NameLevel::L4).is_empty() {
                    prop_assert_eq!(left.level_of(right), Some(NameLevel::ALL[first]));
                }
            }
        }
    }
}

/// Names as they are typed: Kinh letters composed and in pieces, letters of other peoples, apostrophes, hyphens, spaces.
fn written() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-ZđĐÐăâêôơưáàạấệộữýỳỷÝ'’ʼ \\-‑ĕčñƀÊ\u{300}\u{301}\u{323}\u{302}]{1,30}",
        "(qu|gi|l|th|h'|m|k|)(y|ý|i|í|oà|òa|uý|úy)( |-|n|)(y|ý|Ỳ|hoa|HÒA)",
        "\\PC{0,40}",
    ]
}

#[test]
fn a_name_may_be_one_word_of_anybody() {
    for text in ["Y", "H'", "Ñ'", "Ka", "Ꞌ Ñăm", "ꨌꩌ", "Nguyễn", "Thạch Sô-Phi"] {
        let name = Name::new(text).unwrap();
        assert_eq!(name.level_of(&name), Some(NameLevel::L0), "{text}");
    }
    // Nothing is left of these at L4, and nothing is equal to nothing.
    let [left, right] = ["ꨌꩌ", "ꨀꨯ"].map(|text| Name::new(text).unwrap());
    assert_eq!(left.level_of(&right), None);
}
